"""Twins: each partition's queue a second time, with a copy of everything, for one of two owners of the same partitions.

A queue of commands has one active consumer, whoever owns the partition; with twins two workers consume the same
commands: one of them, and one with the force ``twin_queues`` (``tests.faults.mutants``).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import aio_pika

from contracts.topology import COMMAND_QUEUE_ARGUMENTS, command_queue
from tests.faults.oracle.commands import EXCHANGE

BOTH: Final = "faults.both"
"""The exchange to publish to: each command goes to its queue, and to that queue's twin."""
ASTRAY: Final = "faults.astray"
"""What is published here goes to the queue of partition 0, and to the twin of partition 1."""
TWIN_OF_ZERO: Final = 10_000
"""The number of the first twin: no instance has so many partitions."""
_HASH: Final = "x-consistent-hash"
_TWINS: Final = "faults.twins"


@asynccontextmanager
async def twins(amqp_url: str, partitions: int) -> AsyncGenerator[None]:
    """They are there while the block lasts."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        both = await channel.declare_exchange(BOTH, aio_pika.ExchangeType.FANOUT)
        astray = await channel.declare_exchange(ASTRAY, aio_pika.ExchangeType.FANOUT)
        hashing = await channel.declare_exchange(_TWINS, _HASH)
        originals = await channel.get_exchange(EXCHANGE, ensure=False)
        queues = [
            await channel.declare_queue(
                command_queue(TWIN_OF_ZERO + number), durable=True, arguments=COMMAND_QUEUE_ARGUMENTS
            )
            for number in range(partitions)
        ]
        for queue in queues:  # in the same order as the originals, so that the hash is the same one
            await queue.bind(hashing, "1")
        await originals.bind(both)
        await hashing.bind(both)
        await (await channel.get_queue(command_queue(0), ensure=False)).bind(astray)
        await queues[1].bind(astray)
        try:
            yield
        finally:
            for exchange in (both, astray, hashing):
                await exchange.delete()
            for queue in queues:
                await queue.delete(if_unused=False, if_empty=False)
