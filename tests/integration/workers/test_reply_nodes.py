"""Forged direct reply-to tokens of the right shape: on a broker that is one node they are refused before they can hurt.

Where that is not known they hurt, and in the end the worker goes on.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from functools import partial
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from contracts.addresses import ReplyToken, reply_token
from contracts.topology import DIRECT_REPLY_TO, WORKER_LOGIN
from ops.instance import Instance
from tests.e2e.client import Client
from tests.e2e.dead import Dead
from tests.integration.workers.running import Running, running, until
from tests.unit.contracts.test_addresses import term, token
from workers.broker.link import Link
from workers.broker.reply_nodes import reply_nodes


async def _genuine(client: Client) -> ReplyToken:
    came_back: asyncio.Future[AbstractIncomingMessage] = asyncio.get_running_loop().create_future()
    client.channel.return_callbacks.add(lambda _, message: came_back.set_result(message))
    message = aio_pika.Message(b"", reply_to=DIRECT_REPLY_TO)
    await client.channel.default_exchange.publish(message, f"nowhere-{uuid.uuid4()}", mandatory=True)
    async with asyncio.timeout(10):
        found = reply_token((await came_back).reply_to or "")
    assert found is not None
    return found


@pytest.mark.checklist(64)
async def test_forged_tokens_are_refused_and_the_connection_stays(servers: Instance, logs: Path) -> None:
    dead = Dead()
    async with (
        running(servers, logs, environment={"MANA_SINGLE_BROKER_NODE": "true"}) as worker,
        Client.connected(servers.addresses.amqp) as client,
    ):
        await worker.ready()
        await dead.consume(client)
        user, real = await client.open_user(), await _genuine(client)
        name = b"reply@%d"
        forged = {
            "node": token(term(name % (real.node + 1), real.number, real.serial, real.creation)),
            "number": token(term(name % real.node, 1 << 15, real.serial, real.creation)),
            "serial": token(term(name % real.node, real.number, 1 << 13, real.creation)),
        }
        fields = {"userId": user, "amount": 1, "appId": "chat", "description": "d"}
        for what, reply_to in forged.items():
            body = json.dumps({**fields, "idempotencyKey": what}).encode()
            await client.publish(body, user, type="credits.use", reply_to=reply_to, correlation_id=what)
            headers = (await dead.copy(what)).headers
            assert str(headers["reason"]).startswith("reply_to: ")
        assert (await client.use(user))["balance"]["freeCreditsRemaining"] == 149
        assert not [line for line in worker.output if line["event"] in {"connection lost", "consumer lost"}]


async def test_where_the_nodes_are_not_known_a_forged_token_costs_connections_and_no_more(
    servers: Instance, logs: Path
) -> None:
    """Whoever answers it loses the connection: so it is acknowledged once it has come back three times."""
    async with (
        running(servers, logs, environment={"MANA_SINGLE_BROKER_NODE": "false"}) as worker,
        Client.connected(servers.addresses.amqp) as client,
    ):
        await worker.ready()
        user, real = await client.open_user(), await _genuine(client)
        reply_to = token(term(b"reply@%d" % (real.node + 1), real.number, real.serial, real.creation))
        body = {"userId": user, "amount": 1, "appId": "chat", "description": "d", "idempotencyKey": "forged"}
        await client.publish(json.dumps(body).encode(), user, type="credits.use", reply_to=reply_to)
        async with asyncio.timeout(60):
            while True:
                try:
                    reply = await client.use(user, idempotencyKey="next")
                    break
                except TimeoutError:
                    continue
        assert reply["transaction"]["sequence"] == 3
        assert [line for line in worker.output if line["event"] == "connection lost"]
        await until(partial(_has_lost_a_reply, worker), "the late reply has broken its own connection")


async def _has_lost_a_reply(worker: Running) -> bool:
    return await worker.meter("mana_late_replies_lost_total") == 1


@pytest.mark.parametrize(
    ("version", "platform"),
    [("4.0.1", "Erlang/OTP 25"), ("", "Erlang/OTP 25"), ("3.13.7", "Erlang/OTP 26.2.5"), ("3.10.8", "")],
)
async def test_where_forged_tokens_do_no_harm_nothing_is_asked(
    servers: Instance, monkeypatch: pytest.MonkeyPatch, version: str, platform: str
) -> None:
    link = await Link.open(servers.addresses.amqp_as(WORKER_LOGIN), "test")
    try:
        monkeypatch.setattr(Link, "server_version", version)
        monkeypatch.setattr(Link, "server_platform", platform)
        assert await reply_nodes(link) is None
    finally:
        await link.close()
