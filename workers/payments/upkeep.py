"""What is done now and then: the figures, alarms that have come to an end by themselves, bodies that are too old."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from workers.payments.meters import PaymentsMeters
from workers.payments.rounds import rounds
from workers.payments.store import EventStore
from workers.payments.watching import Watching

_log = structlog.get_logger(__name__)

_ROUND_SECONDS: Final = 2.0
BODY_LIFE: Final = timedelta(days=35)
"""Longer than Stripe itself lists its events, which is thirty days."""
_BODIES_AT_ONCE: Final = 500
_ALARMS_AT_ONCE: Final = 1_000


class Upkeep:
    """Rounds until cancelled; one that fails is followed by the next."""

    def __init__(self, store: EventStore, watching: Watching, meters: PaymentsMeters) -> None:
        self._store = store
        self._watching = watching
        self._meters = meters

    async def run(self) -> None:
        """Round after round."""
        await rounds(self.round, _ROUND_SECONDS, waiting="upkeep waits for the database")

    async def round(self) -> None:
        """All of it once."""
        self._meters.measured(await self._store.measure())
        await self._watching.look(await self._store.list_alarms(_ALARMS_AT_ONCE))
        self._meters.bodies_forgotten.inc(await self._store.forget_bodies(BODY_LIFE, _BODIES_AT_ONCE))
