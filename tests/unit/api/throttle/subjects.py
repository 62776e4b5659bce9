"""Charges on short limits, and a clock that stands still until it is moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from api.throttle.classes import ACCOUNT, LimitClass
from api.throttle.counters import CounterNames
from api.throttle.limiter import Charge

FIVE: Final = LimitClass("login", 5, timedelta(seconds=50))
TWO: Final = LimitClass("login_network", 2, timedelta(seconds=10))
NAMES: Final = CounterNames(b"k" * 32)


def five(subject: bytes = b"192.0.2.1") -> Charge:
    """Five, one more every ten seconds."""
    return Charge(FIVE, subject)


def two(subject: bytes = b"192.0.2.0/24") -> Charge:
    """Two, one more every five seconds."""
    return Charge(TWO, subject)


def guess(subject: bytes = b"ada@example.com") -> Charge:
    """A guess at an account."""
    return Charge(ACCOUNT, subject)


@dataclass
class StandingClock:
    """Microseconds since 1970."""

    now: int = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def move(self, seconds: float) -> None:
        """Time passes."""
        self.now += round(seconds * 1_000_000)
