"""Time that can be moved forward, and what is due at some time."""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable


class Clock:
    """The stand-in's time: the system's, and what it was moved ahead."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()

    def now(self) -> int:
        """Seconds since the epoch."""
        return math.floor(self._exactly())

    def at(self, when: float, act: Callable[[], object]) -> None:
        """Does something once it is that late."""
        heapq.heappush(self._due, (when, next(self._numbers), act))
        self._changed.set()

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Does something so much later."""
        self.at(self._exactly() + seconds, act)

    def advance(self, seconds: float) -> None:
        """Moves time ahead, and does all that is due by then."""
        self._ahead += seconds
        self._do()

    async def run(self) -> None:
        """Does what is due as time goes by, until it is cancelled."""
        while True:
            self._do()
            self._changed.clear()
            wait = self._due[0][0] - self._exactly() if self._due else None
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue

    def _exactly(self) -> float:
        return time.time() + self._ahead

    def _do(self) -> None:
        while self._due and self._due[0][0] <= self._exactly():
            _, _, act = heapq.heappop(self._due)
            act()
