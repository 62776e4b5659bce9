"""Whether it is worth asking a server that has failed (a circuit breaker)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

PAUSE_SECONDS: Final = 1.0


class Circuit:
    """After a failure nobody asks for a pause; then one asks, and all do once it was answered."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next_probe: float | None = None

    @property
    def is_open(self) -> bool:
        """True from a failure to the next success."""
        return self._next_probe is not None

    def admits(self) -> bool:
        """Whether this caller may ask; it then tells how it went."""
        if self._next_probe is None:
            return True
        if self._clock() < self._next_probe:
            return False
        self._pause()
        return True

    def succeeded(self) -> None:
        """It was answered."""
        self._next_probe = None

    def failed(self) -> None:
        """It was not."""
        self._pause()

    def _pause(self) -> None:
        self._next_probe = self._clock() + PAUSE_SECONDS
