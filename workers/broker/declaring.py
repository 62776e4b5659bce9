"""Our queues are there, with the contract's arguments: the broker itself compares them when they are declared again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from aiormq.exceptions import ChannelPreconditionFailed

from contracts.topology import (
    COMMAND_QUEUE_ARGUMENTS,
    COMMANDS_EXCHANGE,
    DEAD_QUEUE,
    DEAD_QUEUE_ARGUMENTS,
    EVENTS_LOG,
    EVENTS_LOG_ARGUMENTS,
    command_queue,
)
from workers.broker.calling import calling
from workers.broker.errors import BrokerLostError, QueueMismatchError
from workers.broker.link import CLOSE_SECONDS, Link
from workers.broker.tap import TappedChannel

_log = structlog.get_logger(__name__)

_WEIGHT: Final = "1"
"""Routing key of a queue's binding to the hash exchange: its share. The same binding again changes nothing."""


async def declare(link: Link, partitions: range | list[int]) -> None:
    """Declares and binds these partitions' queues, which also brings a deleted one back.

    Raises ``QueueMismatchError`` where one exists with other arguments, ``BrokerLostError`` where no answer comes.
    """
    async with _channel(link) as channel:
        for partition in partitions:
            await _declare(channel, command_queue(partition))


async def require_kept(link: Link) -> None:
    """The queues that keep what nothing else remembers exist as they must be: dead copies, and the log of events.

    Raises ``BrokerLostError`` where one does not, ``QueueMismatchError`` where one has other arguments.
    """
    async with _channel(link) as channel:
        for queue, arguments in ((DEAD_QUEUE, DEAD_QUEUE_ARGUMENTS), (EVENTS_LOG, EVENTS_LOG_ARGUMENTS)):
            # Made by us it would lack what the operator gave it; so it is looked for before it is compared.
            async with calling(f"the queue {queue} is not there"):
                await channel.queue_declare(queue, passive=True)
            async with calling(f"the queue {queue} could not be compared"):
                await _compare(channel, queue, arguments)


async def _declare(channel: TappedChannel, queue: str) -> None:
    async with calling(f"the queue {queue} could not be declared"):
        await _compare(channel, queue, COMMAND_QUEUE_ARGUMENTS)
        await channel.queue_bind(queue, COMMANDS_EXCHANGE, _WEIGHT)


async def _compare(channel: TappedChannel, queue: str, arguments: dict[str, Any]) -> None:
    """Declares; where the queue exists the broker compares. Raises ``QueueMismatchError``."""
    try:
        await channel.queue_declare(queue, durable=True, arguments=arguments)
    except ChannelPreconditionFailed as error:
        raise QueueMismatchError(f"the queue {queue} has other arguments than contracts.topology: {error}") from error


@asynccontextmanager
async def _channel(link: Link) -> AsyncGenerator[TappedChannel]:
    """A channel for as long as the block lasts, however that ends."""
    channel = await link.channel(_take_nothing)
    try:
        yield channel
    finally:
        await _goodbye(channel)


async def _goodbye(channel: TappedChannel) -> None:
    """Closes; one that the broker has closed already, or does not close, is no news to who used it."""
    try:
        async with calling("the channel for declaring was not closed", CLOSE_SECONDS):
            await channel.close()
    except BrokerLostError as error:
        _log.warning("no goodbye", reason=str(error))


def _take_nothing(_: object) -> bool:
    return False
