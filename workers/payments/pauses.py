"""When an event is tried again. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

TRIES_MAX: Final = 10
"""Sendings, over some five minutes, after which a ledger that holds nothing of them is an alarm."""
LEASE: Final = timedelta(seconds=5)
"""So long an event that a worker has taken is nobody else's; where the worker dies it comes up again then."""
ASKING: Final = timedelta(seconds=30)
"""The same, while Stripe is asked about it: several questions, with the library's own tries."""
HELD_UP: Final = timedelta(seconds=3)
"""The way to the ledger is full or broken, or Stripe does not answer: that says nothing about the event."""
ALARMED: Final = timedelta(hours=1)
"""Somebody has to look; until then it is tried so often."""
_FIRST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(seconds=60)


def pause_after(tries: int) -> timedelta:
    """How long the ledger has, after so many sendings, to hold an event's keys."""
    return min(_FIRST * 2 ** (tries - 1), _LONGEST) if tries < 8 else _LONGEST
