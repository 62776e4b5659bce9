"""How soon partitions answer again, as medians over the kept runs: what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Final

from bench.fault_results import Kept
from bench.results import Goal

_POSTGRES: Final = {"PostgreSQL up again", "PostgreSQL killed", "PostgreSQL restarted"}
_GOALS: Final = (
    ("a worker killed", 3.0, {"worker killed"}),
    ("RabbitMQ killed, from when it is up", 10.0, {"RabbitMQ up again", "RabbitMQ killed"}),
    ("PostgreSQL killed or restarted, from when it is up", 5.0, _POSTGRES),
)
"""The fault, seconds, and what the scenarios call it."""


def goals(rows: Iterable[Kept]) -> list[Goal]:
    """One for each kind of fault; without a figure where no run has met it."""
    rows = list(rows)
    return [_goal(rows, name, bound, kinds) for name, bound, kinds in _GOALS]


def _goal(rows: list[Kept], name: str, bound: float, kinds: set[str]) -> Goal:
    met = {
        row.played.id: [seconds for kind in sorted(kinds) for seconds in row.played.recoveries.get(kind, ())]
        for row in rows
    }
    times = [seconds for each in met.values() for seconds in each]
    where = ", ".join(f"{len(each)} in {id_}" for id_, each in met.items() if each)
    return Goal.at_most(f"{name} ({where})" if where else name, median(times) if times else None, bound)
