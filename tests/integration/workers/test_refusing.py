"""What a worker refuses to run on: it ends at once, and says why."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from contracts.topology import DEAD_QUEUE, EVENTS_LOG, broker_topology, command_queue
from ops.instance import Instance
from tests.integration.workers.running import PARTITIONS, running


async def test_a_queue_with_other_arguments_is_refused(servers: Instance, logs: Path) -> None:
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        channel = await connection.channel()
        await channel.queue_delete(command_queue(3), if_unused=False, if_empty=False)
        wrong = await channel.declare_queue(command_queue(3), durable=True)
        try:
            async with running(servers, logs) as process:
                assert await asyncio.wait_for(process.child.wait(), 20) == 1
                assert "credits.commands.3" in process.log.read_text()
        finally:
            await wrong.delete()
    async with running(servers, logs) as process:  # which brings it back
        await process.ready()


@pytest.mark.parametrize("queue", [DEAD_QUEUE, EVENTS_LOG])
async def test_a_queue_that_keeps_things_with_other_arguments_is_refused(
    servers: Instance, logs: Path, queue: str
) -> None:
    (wanted,) = (wanted for wanted in broker_topology(PARTITIONS).queues if wanted.name == queue)
    bindings = [binding for binding in broker_topology(PARTITIONS).bindings if binding.queue == queue]
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue, if_unused=False, if_empty=False)
        wrong = await channel.declare_queue(queue, durable=True)
        try:
            async with running(servers, logs) as process:
                assert await asyncio.wait_for(process.child.wait(), 20) == 1
                assert f"the queue {queue} has other arguments" in process.log.read_text()
        finally:
            await wrong.delete()
            again = await channel.declare_queue(queue, durable=True, arguments=wanted.arguments)
            for binding in bindings:
                await again.bind(binding.exchange, binding.routing_key)
    async with running(servers, logs) as process:
        await process.ready()


async def test_another_number_of_partitions_makes_no_queues(servers: Instance, logs: Path) -> None:
    async with running(servers, logs, environment={"MANA_PARTITIONS": "5"}) as process:
        assert await asyncio.wait_for(process.child.wait(), 20) == 1
        assert "the ledger has 4 partitions, MANA_PARTITIONS says 5" in process.log.read_text()
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        channel = await connection.channel()
        with pytest.raises(ChannelNotFoundEntity):
            await channel.declare_queue(command_queue(4), passive=True)


async def test_a_wrong_password_is_told(servers: Instance, logs: Path) -> None:
    url = servers.addresses.database_as("mana_worker")
    wrong = url.replace("mana_worker:", "mana_worker:x")
    async with running(servers, logs, environment={"DATABASE_URL": wrong}) as process:
        assert await asyncio.wait_for(process.child.wait(), 20) == 1
        assert "password authentication failed" in process.log.read_text()


async def test_a_wrong_setting_is_named(servers: Instance, logs: Path) -> None:
    async with running(servers, logs, environment={"CREDITS_DAILY_FREE": "-1"}) as process:
        assert await asyncio.wait_for(process.child.wait(), 20) == 2
        assert process.log.read_text().startswith("CREDITS_DAILY_FREE: ")
