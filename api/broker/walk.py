"""A walk through queues of letters, by windows: what is looked at is held, and goes back to its place if not removed.

Each window is a consumer of its own that gets so many messages and no more, so no more are on their way at a time,
however many lie there. All stay unacknowledged until the end: one that went back before would be met again. Then they
go back window by window, in their order, before all that was not looked at. Whoever dies on the way loses nothing: the
broker takes back what a connection held when it is gone, perhaps in another order where there were many windows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiormq.abc import AbstractChannel, DeliveredMessage

from api.broker.link import Lost, translated

WINDOW: Final = 32
"""Messages on their way at a time. The broker takes none over 1 MiB, so there are 32 MiB of them at most. It takes back
no more than 32 at a time in the order in which it gave them (its maps are sorted up to there)."""
HELD_MAX: Final = 65_535
"""The broker remembers each message that is held, and each window."""
_RETURNS_MAX: Final = 16
"""Windows that go back at a time: from 32 on the broker's channel would heap them up, and hand them on in any order."""
_QUIET_SECONDS: Final = 3.0
"""What is there comes at once; a pause of so long means that it has gone, by its age or by somebody's hand."""
_LOOK_SECONDS: Final = 0.01


@dataclass(frozen=True)
class Kept:
    """A message as it lies in the queue; ``tag`` names it on the channel that holds it."""

    tag: int
    queue: str
    type: str | None
    user_id: str | None
    reply_to: str | None
    correlation_id: str | None
    message_id: str | None
    content_encoding: str | None
    headers: Mapping[str, Any]
    body: bytes


class Walk:
    """On a channel that nobody else consumes on."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._windows: list[tuple[str, dict[int, None]]] = []
        self._held = 0
        self._left = 0
        self._consumer: str | None = None
        self._arrived = asyncio.Queue[Kept]()

    async def waiting(self, queue: str) -> int:
        """How many messages lie there that nobody holds. Raises ``Lost``."""
        with translated():
            declared = await self._channel.queue_declare(queue, passive=True)
        return declared.message_count or 0

    async def each(self, queue: str) -> AsyncGenerator[Kept]:
        """What lies there now, in order; at most ``HELD_MAX`` that are not removed on the way. Raises ``Lost``."""
        self._left = await self.waiting(queue)
        while (kept := await self._next(queue)) is not None:
            yield kept

    async def remove(self, kept: Kept) -> None:
        """Takes the one that was looked at last out of its queue. Raises ``Lost``."""
        _, held = self._windows[-1]
        with translated():
            await self._channel.basic_ack(kept.tag)
        del held[kept.tag]
        self._held -= 1

    async def put_back(self) -> None:
        """All that was not removed, after a look at the rest: what goes back stands behind what went back earlier, so
        a look at a part of them would put the first ones last. Raises ``Lost``."""
        if self._windows:
            queue, _ = self._windows[-1]
            while await self._next(queue) is not None:
                continue
        there: dict[str, int] = {}
        with translated():
            for number, (queue, held) in enumerate(self._windows, 1):
                if not held:
                    continue
                there[queue] = len(held) + (there[queue] if queue in there else await self.waiting(queue))
                await self._channel.basic_nack(next(reversed(held)), multiple=True)
                if number % _RETURNS_MAX == 0:
                    await self._taken_back(queue, there[queue])

    async def _next(self, queue: str) -> Kept | None:
        """In a window of its own where the last one is full."""
        if self._left > 0 and (self._consumer is None or len(self._windows[-1][1]) >= WINDOW):
            await self._close()
            if self._held < HELD_MAX:
                await self._open(queue)
            else:
                self._left = 0
        kept = await self._arrival() if self._left > 0 else None
        if kept is None:
            self._left = 0
            await self._close()
            return None
        self._left -= 1
        self._held += 1
        self._windows[-1][1][kept.tag] = None
        return kept

    async def _arrival(self) -> Kept | None:
        try:
            async with asyncio.timeout(_QUIET_SECONDS):
                return await self._arrived.get()
        except TimeoutError as error:
            if self._channel.is_closed:
                raise Lost("the channel was closed") from error
            return None

    async def _open(self, queue: str) -> None:
        self._arrived = arrived = asyncio.Queue[Kept]()

        async def take(message: DeliveredMessage) -> None:
            arrived.put_nowait(_kept(queue, message))

        self._windows.append((queue, {}))
        self._consumer = f"{len(self._windows):06}"
        with translated():
            await self._channel.basic_qos(prefetch_count=WINDOW)
            await self._channel.basic_consume(queue, take, consumer_tag=self._consumer)

    async def _close(self) -> None:
        """The window's consumer gets no more, and keeps what it has. A full one has nothing on its way."""
        if self._consumer is not None:
            with translated():
                await self._channel.basic_cancel(self._consumer)
            self._consumer = None

    async def _taken_back(self, queue: str, number: int) -> None:
        """Returns once so many lie there. What goes by its age meanwhile is not waited for without end: only the order
        of what comes back is at stake."""
        for _ in range(round(_QUIET_SECONDS / _LOOK_SECONDS)):
            if await self.waiting(queue) >= number:
                return
            await asyncio.sleep(_LOOK_SECONDS)


def _kept(queue: str, message: DeliveredMessage) -> Kept:
    properties = message.header.properties
    return Kept(
        message.delivery_tag or 0,
        queue,
        properties.message_type,
        properties.user_id,
        properties.reply_to,
        properties.correlation_id,
        properties.message_id,
        properties.content_encoding,
        properties.headers or {},
        message.body,
    )
