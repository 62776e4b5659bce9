"""Takes events in: each is kept, many by one statement, before its message is acknowledged.

While the database cannot be used the messages stay in hand, unacknowledged, and are tried again until they are kept or
the process ends; then the broker has them still. None is rejected, so nothing goes round in circles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from workers.ledger.faults import BatchRejected, Fault
from workers.payments.alarms import alarm
from workers.payments.meters import PaymentsMeters
from workers.payments.reading import UNREADABLE, Incoming, incoming, unreadable
from workers.payments.store import EventStore

_log = structlog.get_logger(__name__)

IN_HAND: Final = 200
"""Messages that the broker hands out before the first of them is acknowledged."""
_PAUSE_SECONDS: Final = (0.1, 2.0)
"""After a fault; doubling."""


class Keeping:
    """``on_kept`` is called after each commit that may have brought something to do."""

    def __init__(self, store: EventStore, meters: PaymentsMeters, on_kept: Callable[[], None]) -> None:
        self._store = store
        self._meters = meters
        self._on_kept = on_kept
        self._arrived = asyncio.Event()
        self._waiting: list[tuple[Incoming, asyncio.Future[None]]] = []
        self._away: str | None = None

    @property
    def problem(self) -> str | None:
        """Why events cannot be kept now."""
        return self._away

    async def keep(self, body: bytes) -> None:
        """Returns once the event is committed."""
        safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((incoming(body), safe))
        self._arrived.set()
        await safe

    async def run(self) -> None:
        """Keeps what comes, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._waiting = self._waiting, []
            await self._insist([event for event, _ in batch])
            for _, safe in batch:
                if not safe.done():
                    safe.set_result(None)

    async def _insist(self, batch: Sequence[Incoming]) -> None:
        pause = _PAUSE_SECONDS[0]
        while True:
            try:
                await self._keep(batch)
            except Fault as fault:
                _log.warning("events wait for the database", number=len(batch), reason=str(fault))
                self._away = str(fault)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _PAUSE_SECONDS[1])
            else:
                self._away = None
                return

    async def _keep(self, batch: Sequence[Incoming]) -> None:
        """A row that the database does not take is found by itself, and kept as what cannot be read."""
        try:
            new = await self._store.keep(batch)
        except BatchRejected as rejected:
            if len(batch) > 1:
                for event in batch:
                    await self._keep([event])
                return
            if batch[0].type == UNREADABLE:
                raise
            await self._keep([unreadable(batch[0].body, f"it cannot be kept: {rejected}")])
            return
        self._count(batch, new)
        self._on_kept()

    def _count(self, batch: Sequence[Incoming], new: int) -> None:
        self._meters.kept.inc(new)
        self._meters.repeated.inc(len(batch) - new)
        for event in batch:
            if event.refused is not None:
                self._meters.events.labels(event.type, "refused").inc()
                alarm(self._meters, "unreadable", event.id, event.refused)
