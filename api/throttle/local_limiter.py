"""Counters in this process alone: as strict as those in Redis, but each process has its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from api.errors import Unavailable
from api.throttle import buckets, verdicts
from api.throttle.buckets import Move
from api.throttle.counters import CounterNames
from api.throttle.limiter import Charge, Verdict

COUNTERS_MAX: Final = 100_000
_SWEEP_SECONDS_MIN: Final = 1
_SECOND: Final = 1_000_000


def _now() -> int:
    return time.time_ns() // 1_000


class LocalLimiter:
    """Holds so many counters and no more: where there is no room for another subject, it is not let through."""

    def __init__(self, names: CounterNames, size: int = COUNTERS_MAX, clock: Callable[[], int] = _now) -> None:
        self._names = names
        self._size = size
        self._clock = clock
        self._counters: dict[str, tuple[str, int]] = {}
        self._swept = 0

    async def take(self, *charges: Charge) -> Verdict:
        """Takes all charges or none. Raises ``Unavailable`` where there is no room to count them."""
        now = self._clock()
        named = [(self._names.of(charge), charge) for charge in charges]
        moves = [buckets.take(buckets.rule_of(charge.limit), self._value(name, now), now) for name, charge in named]
        longest = max(range(len(moves)), key=lambda index: moves[index].over)
        if moves[longest].over > 0:
            return verdicts.refused(charges[longest], moves[longest].over)
        self._make_room([name for name, _ in named], now)
        for (name, _), move in zip(named, moves, strict=True):
            self._keep(name, move, now)
        return verdicts.taken(charges, [(move.remaining, move.reset) for move in moves])

    async def give_back(self, *charges: Charge) -> None:
        """Undoes charges."""
        now = self._clock()
        for charge in charges:
            name = self._names.of(charge)
            less = buckets.give_back(buckets.rule_of(charge.limit), self._value(name, now), now)
            if less is None:
                self._counters.pop(name, None)
            else:
                value, kept = less
                self._counters[name] = (value, now + kept)

    async def forget(self, *charges: Charge) -> None:
        """Begins anew for these."""
        for charge in charges:
            self._counters.pop(self._names.of(charge), None)

    def _value(self, name: str, now: int) -> str | None:
        value, until = self._counters.get(name, (None, 0))
        return value if until > now else None

    def _keep(self, name: str, move: Move, now: int) -> None:
        self._counters[name] = (move.value, now + move.kept)

    def _make_room(self, names: list[str], now: int) -> None:
        new = sum(name not in self._counters for name in names)
        if len(self._counters) + new > self._size and now - self._swept >= _SWEEP_SECONDS_MIN * _SECOND:
            # Looking at all of them takes a while: not at each request of a flood.
            self._swept = now
            self._counters = {name: held for name, held in self._counters.items() if held[1] > now}
        if new and len(self._counters) + new > self._size:
            raise Unavailable("limits", "too many clients at once")
