"""Every half minute: all that is over goes, in small steps, each a transaction of its own that keeps nobody waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, get_args

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from api.database import Connection, Database
from api.errors import Unavailable
from api.running import again_and_again
from api.upkeep import store

ROUND_SECONDS: Final = 30.0
"""Seals of refresh tokens are to be gone about a minute after their use; nothing else is in a hurry."""
MOST: Final = 500
"""Rows of one step."""
_ERASURES: Final = "erasures"
_PAUSE_SECONDS: Final = 0.02
"""Between two steps: a large backlog must not keep the database busy."""

_log = structlog.get_logger(__name__)

_Step = Callable[[Connection], Awaitable[int]]
"""Takes some rows away; answers how many."""


class SweepingMetrics:
    """What went, and when the last whole round was."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.swept = Counter("mana_upkeep_rows", "Rows that went, and steps of erasure", ["kind"], registry=registry)
        self.done_at = Gauge("mana_upkeep_last_round", "When the last whole round ended, Unix time", registry=registry)


@dataclass(frozen=True)
class Ages:
    """So old security events go, and so long ago sessions have ended that go."""

    events: timedelta
    ended_sessions: timedelta


class Sweeping:
    """Run ``follow`` as a task for as long as the process lives."""

    def __init__(self, database: Database, ages: Ages, metrics: SweepingMetrics) -> None:
        self._database = database
        self._metrics = metrics
        self._steps: dict[str, _Step] = {
            **{kind: _sweeper(kind) for kind in get_args(store.Kind)},
            "sessions": lambda connection: store.sweep_sessions(connection, ages.ended_sessions, MOST),
            "events": lambda connection: store.sweep_events(connection, ages.events, MOST),
            _ERASURES: _erase,
        }

    async def follow(self) -> None:
        """A round every half minute; ends only when it is cancelled."""
        await again_and_again(
            self.round, ROUND_SECONDS, lambda reason: _log.warning("upkeep is tried again", reason=reason)
        )

    async def round(self) -> None:
        """Takes away all that is over, each kind whatever became of the others.

        Raises ``Unavailable`` where one could not be done.
        """
        failures = dict[str, Unavailable]()
        for kind, step in self._steps.items():
            try:
                await self._take_away(kind, step)
            except Unavailable as error:
                failures[kind] = error
        if _ERASURES in failures:
            async with self._database.transaction() as connection:
                await store.put_off_erasure(connection)
        for error in failures.values():
            raise error
        self._metrics.done_at.set_to_current_time()

    async def _take_away(self, kind: str, step: _Step) -> None:
        while went := await self._do(step):
            self._metrics.swept.labels(kind).inc(went)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _do(self, step: _Step) -> int:
        async with self._database.transaction() as connection:
            return await step(connection)


def _sweeper(kind: store.Kind) -> _Step:
    return lambda connection: store.sweep(connection, kind, MOST)


async def _erase(connection: Connection) -> int:
    return int(await store.erase_some(connection, MOST))
