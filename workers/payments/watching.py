"""Looks whether the ledger holds what it was told: soon after the sending, then slower and slower.

Nothing depends on it being quick or being there at all: an event that is not found done is due again by its row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import structlog
from msgspec import Struct

from workers.ledger.faults import Fault
from workers.payments import pauses
from workers.payments.alarms import alarm
from workers.payments.meters import PaymentsMeters
from workers.payments.store import EventStore, Step
from workers.waiting import wait_at_most

_log = structlog.get_logger(__name__)

_FIRST_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 2.0
_WATCHED_MAX: Final = 5_000
"""Beyond them events are found done when they are due again."""
_FRESH_MAX: Final = 1_000
"""So many that were sent just now are as much as the ledger is to be told at once."""
_FRESH_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 3600.0


class _Look(Struct):
    since: float
    at: float
    pause: float
    until: float


class Watching:
    """Ends events, and raises alarms for those that the ledger refused."""

    def __init__(self, store: EventStore, meters: PaymentsMeters) -> None:
        self._store = store
        self._meters = meters
        self._looks: dict[str, _Look] = {}
        self._changed = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether the ledger keeps up with what it is told."""
        since = asyncio.get_running_loop().time() - _FRESH_SECONDS
        return sum(look.since > since for look in self._looks.values()) < _FRESH_MAX

    def watch(self, events: Iterable[str], within: timedelta) -> None:
        """Looks after these, until they are due again."""
        now = asyncio.get_running_loop().time()
        for event in events:
            if len(self._looks) < _WATCHED_MAX:
                self._looks[event] = _Look(now, now + _FIRST_SECONDS, _FIRST_SECONDS, now + within.total_seconds())
        self._changed.set()

    async def run(self) -> None:
        """Looks, until cancelled."""
        while True:
            now = asyncio.get_running_loop().time()
            due = [event for event, look in self._looks.items() if look.at <= now]
            if due:
                await self._look(due)
            else:
                next_at = min((look.at for look in self._looks.values()), default=now + _IDLE_SECONDS)
                await wait_at_most(self._changed, max(next_at - now, _FIRST_SECONDS / 2))
                self._changed.clear()

    async def look(self, events: list[str]) -> set[str]:
        """Ends those that the ledger holds, and answers which. Raises ``Fault``."""
        finished = await self._store.finish(events) if events else []
        for event in finished:
            self._meters.finished(event)
            self._looks.pop(event.id, None)
        return {event.id for event in finished}

    async def _look(self, due: list[str]) -> None:
        try:
            held = await self.look(due)
            await self._look_for_refusals([event for event in due if event not in held])
        except Fault as fault:
            _log.warning("it is not known what the ledger holds", number=len(due), reason=str(fault))
        now = asyncio.get_running_loop().time()
        for event in due:
            look = self._looks.get(event)
            if look is None:
                continue
            look.pause = min(2 * look.pause, _LONGEST_SECONDS)
            look.at = now + look.pause
            if look.at > look.until:
                del self._looks[event]

    async def _look_for_refusals(self, events: list[str]) -> None:
        refusals = await self._store.find_refusals(events) if events else []
        if not refusals:
            return
        told = {one.id: f"the ledger refused {one.key}: {one.code}, {one.message}" for one in refusals}
        await self._store.take([Step(id=event, reason=reason, pause=pauses.ALARMED) for event, reason in told.items()])
        for one in refusals:
            self._looks.pop(one.id, None)
            if one.first:  # one alarm for a command, whatever number of events tells it
                alarm(self._meters, "ledger", one.id, told[one.id])
