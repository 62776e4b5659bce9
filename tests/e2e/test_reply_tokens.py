"""Goal: the tokens that this broker really makes are taken for what they are.

Method: a message to no queue comes back to its sender, with the token in ``reply_to`` that a worker would have seen.
That is also how a worker can learn the hash of the node that it is connected to.
"""

from __future__ import annotations

import asyncio
import uuid

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from contracts.addresses import is_reply_address, reply_token
from contracts.topology import DIRECT_REPLY_TO, WORKER_LOGIN
from ops.instance import Instance
from tests.e2e.client import Client


async def made_by_the_broker(url: str) -> str:
    """A token for a connection of its own."""
    async with Client.connected(url) as client:
        came_back: asyncio.Future[AbstractIncomingMessage] = asyncio.get_running_loop().create_future()
        client.channel.return_callbacks.add(lambda _, message: came_back.set_result(message))
        message = aio_pika.Message(b"", reply_to=DIRECT_REPLY_TO)
        await client.channel.default_exchange.publish(message, f"nowhere-{uuid.uuid4()}", mandatory=True)
        async with asyncio.timeout(10):
            return (await came_back).reply_to or ""


async def test_real_tokens_pass(instance: Instance) -> None:
    tokens = [await made_by_the_broker(instance.env["MANA_AMQP_URL"]) for _ in range(5)]
    assert len(set(tokens)) == len(tokens)
    parsed = [reply_token(token) for token in tokens]
    (node,) = {token.node for token in parsed if token is not None}
    assert all(is_reply_address(token, nodes={node}) for token in tokens)
    assert not any(is_reply_address(token, nodes={node + 1}) for token in tokens)


async def test_a_workers_login_may_ask_for_one(instance: Instance) -> None:
    assert is_reply_address(await made_by_the_broker(instance.addresses.amqp_as(WORKER_LOGIN)))
