"""Whether more sign-ins fail, of everybody together, than people ever mistype: one guess each at many accounts, from
many addresses, which no limit by account or address sees."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from api.throttle.classes import LimitClass
from api.throttle.limiter import Charge, Limiter
from api.throttle.metrics import LimitMetrics

LASTS_SECONDS: Final = 60.0
"""So long after the last sign of it."""

_log = structlog.get_logger(__name__)


class Pressure:
    """Each guess is counted as a failure beforehand, and taken out again where it was none.

    ``announce`` is called once as it begins, in each process that notices.
    """

    def __init__(
        self,
        limiter: Limiter,
        failures: LimitClass,
        metrics: LimitMetrics,
        announce: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limiter = limiter
        self._charge = Charge(failures, b"everybody")
        self._announce = announce
        self._clock = clock
        self._until = 0.0
        metrics.pressure(self.is_on)

    def is_on(self) -> bool:
        """Whether it is on now, as far as this process knows."""
        return self._clock() < self._until

    async def count(self) -> bool:
        """Counts a guess; false where they are too many already to be counted. Raises ``Unavailable``."""
        verdict = await self._limiter.take(self._charge)
        if not verdict.allowed:
            began, self._until = not self.is_on(), self._clock() + LASTS_SECONDS
            if began:
                _log.warning("sign-ins are under pressure", failures=verdict.quota, seconds=verdict.window)
                await self._announce()
        return verdict.allowed

    async def uncount(self) -> None:
        """A guess that was counted was none, or was never looked at."""
        await self._limiter.give_back(self._charge)
