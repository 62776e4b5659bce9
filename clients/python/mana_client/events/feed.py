"""One subscription on one connection, from its opening to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from pamqp.commands import Basic
from pamqp.common import FieldTable

from mana_client.link import CONNECT_SECONDS_MAX, Address, Lost, connected, hang_up, translated, url_of

_PAUSES: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to subscribe, the last one for ever."""

log: Final = logging.getLogger("mana_client.events")

Prepare = Callable[[AbstractChannel], Awaitable[None]]
"""Makes what is to be consumed, where it is ours to make."""


class Feed:
    """Messages of one queue in order, at most ``prefetch`` of them without an acknowledgement."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel, prefetch: int) -> None:
        self._connection = connection
        self._channel = channel
        self._prefetch = prefetch
        self._messages: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()
        self._cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watch = asyncio.create_task(self._until_ended(), name="mana-client subscription")
        self._unacknowledged = 0
        self._last_tag = 0

    @classmethod
    async def open(
        cls,
        address: Address,
        queue: str,
        *,
        prefetch: int,
        arguments: FieldTable | None = None,
        prepare: Prepare | None = None,
    ) -> Feed:
        """Subscribes. Raises ``LoginRefused``, ``NotAllowed``, ``Lost``, and what ``prepare`` raises."""
        connection = await connected(url_of(address), "mana-client events")
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                with translated():
                    channel = await connection.channel()
                    if prepare is not None:
                        await prepare(channel)
                    await channel.basic_qos(prefetch_count=prefetch)
                    feed = cls(connection, channel, prefetch)
                    channel.on_consumer_cancel_callbacks.add(feed._cancel)
                    await channel.basic_consume(queue, feed._hear, arguments=arguments)
        except TimeoutError as error:
            await hang_up(connection)
            raise Lost("the broker does not answer") from error
        except BaseException:
            await hang_up(connection)
            raise
        return feed

    @property
    def is_empty(self) -> bool:
        """Whether the next one is still to come."""
        return self._messages.empty()

    async def take(self, within: float | None = None) -> DeliveredMessage | None:
        """The next message; ``None`` where none comes within so many seconds. Raises ``Lost``."""
        try:
            async with asyncio.timeout(within):
                message = await self._messages.get()
        except TimeoutError:
            return None
        if message is None:
            raise Lost("the subscription has ended")
        self._unacknowledged += 1
        self._last_tag = message.delivery_tag or 0
        return message

    async def acknowledge(self) -> None:
        """All that were taken so far. Raises ``Lost``."""
        if self._unacknowledged:
            with translated():
                await self._channel.basic_ack(self._last_tag, multiple=True)
            self._unacknowledged = 0

    async def ask_for_more(self) -> None:
        """Acknowledges where that is what the broker waits for, or where there is nothing better to do."""
        if self.is_empty or self._unacknowledged >= self._prefetch // 4:
            await self.acknowledge()

    async def close(self) -> None:
        """Hangs up; what was not acknowledged comes again, from a queue."""
        self._watch.cancel()
        await asyncio.wait({self._watch})
        await hang_up(self._connection)

    async def _hear(self, message: DeliveredMessage) -> None:
        # Each delivery has a task of its own, and those begin in order: nothing may be awaited before this.
        self._messages.put_nowait(message)

    def _cancel(self, _: Basic.Cancel) -> None:
        """The queue is gone, or has moved to another node."""
        if not self._cancelled.done():
            self._cancelled.set_result(None)

    async def _until_ended(self) -> None:
        ends = {self._connection.closing, self._channel.closing, self._cancelled}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        self._messages.put_nowait(None)


async def lost(name: str, error: Lost) -> None:
    """Tells that a subscription ended, and waits a moment: one that always ends must not be made without a pause."""
    log.warning("%s is read on over a new connection: %s", name, error)
    await asyncio.sleep(_PAUSES[0])


async def subscribed(subscribe: Callable[[], Awaitable[Feed]]) -> Feed:
    """Subscribes as soon as that succeeds, however long it takes. Raises what is for good, such as ``NotAllowed``."""
    failures, told = 0, ""
    while True:
        try:
            return await subscribe()
        except Lost as error:
            if str(error) != told:
                log.warning("cannot subscribe: %s", error)
            told = str(error)
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1
