"""Follows the stream of events from a place on, in batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from contracts.topology import EVENTS_LOG
from workers.broker.errors import BrokerLostError
from workers.broker.framed_stream import FramedStream, Start, StreamMessage
from workers.broker.link import Link
from workers.usage.model import Place
from workers.waiting import wait_at_most

_log = structlog.get_logger(__name__)

BATCH_MAX: Final = 1_000
"""Events that are counted by one transaction."""
_PREFETCH: Final = 3 * BATCH_MAX
_GATHERING_SECONDS: Final = 0.25
"""So long a batch gathers: nobody waits for statistics, and a commit for each event would cost the ledger's disk."""
_PLACE_SECONDS: Final = 5.0
"""Within so many seconds the event at a place comes, or there is none."""


class Following:
    """What comes from the stream, in order."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._came: list[StreamMessage] = []
        self._some = asyncio.Event()
        self._many = asyncio.Event()
        self._reader: FramedStream | None = None

    async def begin(self, start: Start) -> None:
        """Begins, or begins anew, to read there. Raises ``BrokerLostError``."""
        await self.close()
        self._came = []
        self._some.clear()
        self._many.clear()
        self._reader = await FramedStream.open(self._link, EVENTS_LOG, start, self._take, prefetch=_PREFETCH)

    async def resume(self, place: Place) -> bool:
        """Goes on from a place, if the event that is known to stand there does. Raises ``BrokerLostError``."""
        await self.begin(place.offset)
        if not await self._wait(self._some, _PLACE_SECONDS):
            _log.warning("the stream ends before the place that it was read to", offset=place.offset)
            return False
        first = self._came[0]
        if (first.offset, first.message_id) != (place.offset, place.event_id):
            _log.warning("another event stands where the stream was read to", offset=place.offset, there=first.offset)
            return False
        self._take_out(1)
        return True

    async def batch(self, patience: float) -> list[StreamMessage]:
        """The next messages, gathered for a moment; none where nothing comes for so many seconds.

        Raises ``BrokerLostError``.
        """
        if not await self._wait(self._some, patience):
            return []
        await self._wait(self._many, _GATHERING_SECONDS)
        return self._take_out(BATCH_MAX)

    def done(self, batch: list[StreamMessage]) -> None:
        """Lets as many more come."""
        if self._reader is not None:
            self._reader.ack(batch[-1].tag)

    async def close(self) -> None:
        """Reads no more."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    def _take_out(self, most: int) -> list[StreamMessage]:
        taken, self._came = self._came[:most], self._came[most:]
        if not self._came:
            self._some.clear()
        if len(self._came) < BATCH_MAX:
            self._many.clear()
        return taken

    def _take(self, message: StreamMessage) -> None:
        self._came.append(message)
        self._some.set()
        if len(self._came) >= BATCH_MAX:
            self._many.set()

    async def _wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Whether it is set within so many seconds; ends at once where the broker is lost."""
        reader = self._reader
        if reader is None:
            raise BrokerLostError("the stream is not read")
        lost = asyncio.create_task(reader.lost.wait())
        coming = asyncio.create_task(wait_at_most(event, seconds))
        try:
            await asyncio.wait({lost, coming}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            coming.cancel()
            await asyncio.wait({lost, coming})
        if reader.lost.is_set():
            raise BrokerLostError(reader.reason)
        return event.is_set()


@asynccontextmanager
async def following(url: str, name: str) -> AsyncGenerator[Following]:
    """On a connection of its own. Raises ``BrokerLostError``."""
    link = await Link.open(url, name)
    try:
        yield Following(link)
    finally:
        await link.close()


def place_of(batch: list[StreamMessage]) -> Place | None:
    """Where a batch ends; ``None`` where none of its offsets could be read."""
    return next((Place(one.offset, one.message_id) for one in reversed(batch) if one.offset is not None), None)
