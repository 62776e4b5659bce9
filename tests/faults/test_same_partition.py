"""A user's commands meet the same queue before and after the broker died: else they could overtake each other."""

from __future__ import annotations

import asyncio
import uuid

import aio_pika
import pytest

from contracts.topology import COMMANDS_EXCHANGE, PARTITIONS_DEFAULT
from ops.instance import Instance
from tests.faults.servers import private_servers
from tests.faults.tools.broker import Broker

_USERS = [str(uuid.UUID(int=number)) for number in range(400)]


async def _publish(amqp_url: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(COMMANDS_EXCHANGE, ensure=False)
        for user in _USERS:
            await exchange.publish(aio_pika.Message(b"{}", delivery_mode=2), routing_key=user)


async def _depths(broker: Broker) -> dict[str, int]:
    return {queue: depth.ready for queue, depth in (await broker.depths()).items()}


async def _before_and_after(instance: Instance) -> tuple[dict[str, int], dict[str, int]]:
    broker = Broker(instance)
    await broker.settle()
    await _publish(instance.env["MANA_AMQP_URL"])
    before = await _depths(broker)
    await broker.kill()
    await broker.wait_up()
    await _publish(instance.env["MANA_AMQP_URL"])
    return before, await _depths(broker)


@pytest.mark.timeout(180)
def test_each_user_keeps_the_partition() -> None:
    with private_servers(partitions=PARTITIONS_DEFAULT) as instance:
        before, after = asyncio.run(_before_and_after(instance))
    assert sum(before.values()) == len(_USERS)
    assert after == {queue: 2 * depth for queue, depth in before.items()}
