"""Counts in Redis while it answers, and in this process alone while it does not: never not at all."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from api.redis_line import RedisAway
from api.throttle.circuit import Circuit
from api.throttle.limiter import Charge, Limiter, Verdict
from api.throttle.metrics import LimitMetrics
from api.throttle.redis_limiter import RedisLimiter

Result = TypeVar("Result")

_log = structlog.get_logger(__name__)


class TwoPlaces:
    """While Redis is away the figures are the same, for each front by itself: so many fronts, so many times as much.

    What was taken in one place and is given back in the other is a charge too much or too little, once in each outage.
    """

    def __init__(
        self, shared: RedisLimiter, own: Limiter, metrics: LimitMetrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = shared
        self._own = own
        self._metrics = metrics
        self._circuit = Circuit(clock)

    async def take(self, *charges: Charge) -> Verdict:
        """Takes all charges or none."""
        verdict = await self._either(self._shared.take, self._own.take, charges)
        if not verdict.allowed:
            self._metrics.refused(verdict.limit)
        return verdict

    async def give_back(self, *charges: Charge) -> None:
        """Undoes charges."""
        await self._either(self._shared.give_back, self._own.give_back, charges)

    async def forget(self, *charges: Charge) -> None:
        """Begins anew for these, in both places: an outage may have begun or ended since they were taken."""
        await self._own.forget(*charges)
        await self._either(self._shared.forget, self._own.forget, charges)

    async def _either(
        self,
        shared: Callable[..., Awaitable[Result]],
        own: Callable[..., Awaitable[Result]],
        charges: tuple[Charge, ...],
    ) -> Result:
        if self._circuit.admits():
            try:
                result = await shared(*charges)
            except RedisAway as error:
                self._lost(error)
            else:
                self._found()
                return result
        return await own(*charges)

    def _lost(self, error: RedisAway) -> None:
        if not self._circuit.is_open:
            _log.warning("limits are counted in this process alone", reason=repr(error.__cause__))
        self._circuit.failed()
        self._metrics.failed()
        self._metrics.counted_alone(True)

    def _found(self) -> None:
        if self._circuit.is_open:
            _log.info("limits are counted in Redis again")
        self._circuit.succeeded()
        self._metrics.counted_alone(False)
