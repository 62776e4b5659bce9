"""Our queues are there, with the contract's arguments: the broker itself compares them when they are declared again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from aiormq.exceptions import ChannelPreconditionFailed

from contracts.topology import COMMAND_QUEUE_ARGUMENTS, COMMANDS_EXCHANGE, DEAD_QUEUE, EVENTS_LOG, command_queue
from workers.broker.errors import BrokerLostError, QueueMismatchError
from workers.broker.link import CALL_SECONDS, FAILURES, Link
from workers.broker.tap import TappedChannel

_WEIGHT: Final = "1"
"""Routing key of a queue's binding to the hash exchange: its share. The same binding again changes nothing."""


async def declare(link: Link, partitions: range | list[int]) -> None:
    """Declares and binds these partitions' queues, which also brings a deleted one back.

    Raises ``QueueMismatchError`` where one exists with other arguments, ``BrokerLostError`` where no answer comes.
    """
    channel = await link.channel(_take_nothing)
    for partition in partitions:
        await _answered(_declare(channel, command_queue(partition)), command_queue(partition))
    await channel.close()


async def require_kept(link: Link) -> None:
    """The queues that keep what nothing else remembers exist: dead copies, and the log of events.

    Raises ``BrokerLostError`` where one does not.
    """
    channel = await link.channel(_take_nothing)
    for queue in (DEAD_QUEUE, EVENTS_LOG):
        await _answered(channel.queue_declare(queue, passive=True), queue)
    await channel.close()


async def _declare(channel: TappedChannel, queue: str) -> None:
    await channel.queue_declare(queue, durable=True, arguments=COMMAND_QUEUE_ARGUMENTS)
    await channel.queue_bind(queue, COMMANDS_EXCHANGE, _WEIGHT)


async def _answered(call: Awaitable[object], queue: str) -> None:
    try:
        async with asyncio.timeout(CALL_SECONDS):
            await call
    except ChannelPreconditionFailed as error:
        raise QueueMismatchError(f"the queue {queue} has other arguments than contracts.topology: {error}") from error
    except FAILURES as error:
        raise BrokerLostError(f"the queue {queue} could not be declared: {error!r}") from error


def _take_nothing(_: object) -> bool:
    return False
