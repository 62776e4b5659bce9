"""What is counted of a batch, at once when it is through and not command by command: the counting must cost nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final

from workers.broker.consumer import Delivery
from workers.ledger.execute import Committed
from workers.meters import Meters

_MILLISECONDS_FROM: Final = 100_000_000_000
"""A timestamp of this or more is none in seconds (the year 5138): some libraries write milliseconds."""


def count(
    results: Mapping[tuple[str, str], int], oldest: Delivery | None, commits: Iterable[Committed], meters: Meters
) -> None:
    """Counts what was answered, how long the ``oldest`` of it took, and the credits that moved."""
    meters.answered(results)
    if oldest is not None:
        meters.worker_seconds.observe(max(0.0, time.time() - oldest.arrived_at))
        if oldest.timestamp is not None:
            meters.queue_seconds.observe(max(0.0, oldest.arrived_at - _seconds(oldest.timestamp)))
    gained = dict[str, int]()
    lost = dict[str, int]()
    for committed in commits:
        for happenings in committed.events.values():
            for happening in happenings:
                kind, amount = happening.transaction.type, happening.transaction.amount
                if amount < 0:
                    lost[kind] = lost.get(kind, 0) - amount
                else:
                    gained[kind] = gained.get(kind, 0) + amount
    meters.moved(gained, lost)


def _seconds(timestamp: int) -> float:
    return timestamp if timestamp < _MILLISECONDS_FROM else timestamp / 1000
