"""Our queues are there, with the contract's arguments: the broker itself compares them when they are declared again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from contracts.topology import (
    COMMAND_QUEUE_ARGUMENTS,
    COMMAND_QUEUE_ARGUMENTS_BEFORE,
    COMMANDS_EXCHANGE,
    DEAD_QUEUE,
    DEAD_QUEUE_ARGUMENTS,
    EVENTS_LOG,
    EVENTS_LOG_ARGUMENTS,
    command_queue,
    in_ring_order,
)
from workers.broker import methods
from workers.broker.channel import Channel, Listener
from workers.broker.errors import BrokerLostError, ChannelClosedError, QueueMismatchError
from workers.broker.link import Link

_log = structlog.get_logger(__name__)

_WEIGHT: Final = "1"
"""Routing key of a queue's binding to the hash exchange: its share. The same binding again changes nothing."""


async def declare(link: Link, partitions: Iterable[int]) -> None:
    """Declares and binds these partitions' queues in the ring's order, which also brings a deleted one back.

    Raises ``QueueMismatchError`` where one exists with other arguments, ``BrokerLostError`` where no answer comes.
    """
    for partition in in_ring_order(partitions):
        queue = command_queue(partition)
        try:
            await _declare(link, queue, COMMAND_QUEUE_ARGUMENTS)
        except QueueMismatchError:
            await _declare(link, queue, COMMAND_QUEUE_ARGUMENTS_BEFORE)


async def require_kept(link: Link) -> None:
    """The queues that keep what nothing else remembers exist as they must be: dead copies, and the log of events.

    Raises ``BrokerLostError`` where one does not, ``QueueMismatchError`` where one has other arguments.
    """
    async with _channel(link) as channel:
        for queue, arguments in ((DEAD_QUEUE, DEAD_QUEUE_ARGUMENTS), (EVENTS_LOG, EVENTS_LOG_ARGUMENTS)):
            # Made by us it would lack what the operator gave it; so it is looked for before it is compared.
            await channel.call(methods.queue_look(queue), methods.QUEUE_DECLARE_OK)
            await _compare(channel, queue, arguments)


async def waiting(link: Link, partition: int) -> int:
    """How many commands wait in the partition's queue, undelivered. Raises ``BrokerLostError``."""
    channel = await link.channel(Listener())
    try:
        look = methods.queue_look(command_queue(partition))
        return methods.message_count(await channel.call(look, methods.QUEUE_DECLARE_OK))
    finally:
        channel.leave()


async def _declare(link: Link, queue: str, arguments: dict[str, Any]) -> None:
    """On a channel of its own, which the broker closes where it has other arguments."""
    async with _channel(link) as channel:
        await _compare(channel, queue, arguments)
        await channel.call(methods.queue_bind(queue, COMMANDS_EXCHANGE, _WEIGHT), methods.QUEUE_BIND_OK)


async def _compare(channel: Channel, queue: str, arguments: dict[str, Any]) -> None:
    """Declares; where the queue exists the broker compares. Raises ``QueueMismatchError``."""
    try:
        await channel.call(methods.queue_declare(queue, arguments), methods.QUEUE_DECLARE_OK)
    except ChannelClosedError as error:
        if error.code != methods.PRECONDITION_FAILED:
            raise
        raise QueueMismatchError(f"the queue {queue} has other arguments than contracts.topology: {error}") from error


@asynccontextmanager
async def _channel(link: Link) -> AsyncGenerator[Channel]:
    """A channel for as long as the block lasts, however that ends."""
    channel = await link.channel(Listener())
    try:
        yield channel
    finally:
        await _goodbye(channel)


async def _goodbye(channel: Channel) -> None:
    """One that the broker does not close is no news to who used it."""
    try:
        await channel.close()
    except BrokerLostError as error:
        _log.warning("no goodbye", reason=str(error))
