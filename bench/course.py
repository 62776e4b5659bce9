"""The course of one measurement under closed-loop load: warm up, measure, let the last answers come in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.errors import BenchError

_DRAIN_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Measured:
    """What came back in the measured time; ``answered`` counts all answers of the run.

    Latencies are in milliseconds; there are none where commands had waited before the measured time.
    """

    per_second: float
    p50: float | None
    p99: float | None
    commands: int
    answered: int
    second_half: float | None = None
    """Of a backlog: the rate of its second half, as a share of the first half's."""
    latencies: Sequence[float] = field(default=(), repr=False)
    """Each one's, in seconds, of a closed loop and of HTTP."""


class Course:
    """Whoever sends notes each answer here, sends the next while ``sending``, and says when nothing is under way."""

    def __init__(self) -> None:
        self.sending = True
        self._latencies: list[float] = []
        self._answered = 0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, seconds: float) -> None:
        """An answer came, so long after its question."""
        self._answered += 1
        self._latencies.append(seconds)

    def came_to_rest(self) -> None:
        """All that was sent is answered."""
        if not self.sending and not self._over.done():
            self._over.set_result(None)

    def fail(self, error: Exception) -> None:
        """This is no measurement any more."""
        if not self._over.done():
            self._over.set_exception(error)

    async def run(self, warm_up: float, seconds: float, around: Callable[[], None]) -> Measured:
        """Goes through it; ``around`` is called where the measured time begins and ends; times in seconds.

        Raises what `fail` was told, and ``BenchError`` where answers are missing.
        """
        await self._pass(warm_up)
        self._latencies = []
        around()
        start = time.perf_counter()
        await self._pass(seconds)
        passed, latencies = time.perf_counter() - start, self._latencies
        self._latencies = []
        around()
        self.sending = False
        await asyncio.wait((self._over,), timeout=_DRAIN_SECONDS)
        if not self._over.done():
            raise BenchError(f"Not all commands were answered within {_DRAIN_SECONDS:.0f} s.")
        self._over.result()
        return measured(latencies, passed, self._answered)

    async def _pass(self, seconds: float) -> None:
        """Lets the time go by, unless something fails."""
        await asyncio.wait((self._over,), timeout=seconds)
        if self._over.done():
            self._over.result()


def measured(latencies: list[float], seconds: float, answered: int) -> Measured:
    """What so many seconds came to; latencies in seconds. Raises ``BenchError`` where nothing was done in them."""
    if not latencies:
        raise BenchError("No command was answered in the measured time.")
    p50, p99 = percentiles(latencies)
    return Measured(len(latencies) / seconds, p50, p99, len(latencies), answered, latencies=latencies)


def percentiles(latencies: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds, of at least one figure in seconds."""
    ordered = sorted(latencies)
    return 1000 * _of_ordered(ordered, 0.50), 1000 * _of_ordered(ordered, 0.99)


def percentile(latencies: Sequence[float], share: float) -> float:
    """Up to which that share of them goes, of at least one."""
    return _of_ordered(sorted(latencies), share)


def _of_ordered(ordered: Sequence[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]
