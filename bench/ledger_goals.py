"""What the ledger's rows come to: the ratios, the goals, and whether the machine was ours meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bench.cpu import disturbance
from bench.ledger_cases import (
    ECHO,
    ECHO_BACKLOG,
    ECHO_ONE_IN_FLIGHT,
    FRAMES,
    HALF,
    LEDGER,
    LEDGER_BACKLOG,
    LEDGER_ONE_IN_FLIGHT,
    ONE_USER,
    SKEWED,
    TWO_WORKERS,
)
from bench.results import Goal, Row

CLOSED: Final = 2.0
"""Times the commands per second of the bare echo, closed loop."""
DRAINING: Final = 2.6
"""Times the commands per second of the bare echo, when a backlog drains."""
ONE_IN_FLIGHT: Final = 4.0
"""Times the echo's median latency, one command in flight."""
TAIL: Final = 5.0
"""Times its own median: the 99th percentile at half load."""
MEMORY_MB: Final = 150.0
EVENTS_BEHIND: Final = 0.02
"""Share of the commands whose events may be without a confirm when the last answer comes: the rest was measured."""
_NOISE_MOST: Final = 0.1


def goals(rows: list[Row]) -> list[Goal]:
    """Those that the measured cases tell of."""
    return list(_goals({row.name: row for row in rows}))


def conclude(rows: list[Row]) -> dict[str, Any]:
    """Ratios that explain the goals, where their cases were measured."""
    found = {row.name: row for row in rows}
    told: dict[str, Any] = {}
    if ratio := _ratio(found, LEDGER, FRAMES):
        told["ledger / echo, our frames"] = round(ratio, 3)
    if LEDGER in found and ECHO in found:
        told["ledger / echo, by CPU time"] = round(_cpu(found[ECHO]) / _cpu(found[LEDGER]), 3)
    if ratio := _ratio(found, LEDGER_BACKLOG, ECHO):
        told["ledger, backlog / echo, closed loop"] = round(ratio, 3)
    if LEDGER_BACKLOG in found and ECHO_BACKLOG in found:
        share = _cpu(found[ECHO_BACKLOG]) / _cpu(found[LEDGER_BACKLOG])
        told["ledger / echo, both draining, by CPU time"] = round(share, 3)
    told["disturbed"] = disturbance(max(row.elsewhere_cores.median for row in rows))
    return told


def _goals(rows: dict[str, Row]) -> Iterator[Goal]:
    if ratio := _ratio(rows, LEDGER, ECHO):
        yield Goal.at_least("ledger / echo", ratio, CLOSED)
    if ratio := _ratio(rows, LEDGER_BACKLOG, ECHO_BACKLOG):
        yield Goal.at_least("ledger / echo, both draining a backlog", ratio, DRAINING)
    for name, case, measure in (
        ("ledger, skewed / uniform", SKEWED, LEDGER),
        ("ledger, one user / uniform", ONE_USER, LEDGER),
        ("backlog, two workers / one", TWO_WORKERS, LEDGER_BACKLOG),
    ):
        if ratio := _ratio(rows, case, measure):
            noise = _noise(rows[case], rows[measure])
            yield Goal.at_least(name, ratio, 1 - noise, f" (1 less the rounds' spread of {noise:.3f})")
    if LEDGER_ONE_IN_FLIGHT in rows and ECHO_ONE_IN_FLIGHT in rows:
        ours, bare = rows[LEDGER_ONE_IN_FLIGHT].p50_ms, rows[ECHO_ONE_IN_FLIGHT].p50_ms
        if ours is not None and bare is not None:
            yield Goal.at_most("one in flight, ledger / echo, medians", ours.median / bare.median, ONE_IN_FLIGHT)
    if HALF in rows and (p50 := rows[HALF].p50_ms) is not None and (p99 := rows[HALF].p99_ms) is not None:
        yield Goal.at_most("half load, 99th percentile / median", p99.median / p50.median, TAIL)
    if peaks := [row.peak_mb.most for row in rows.values() if row.peak_mb is not None]:
        yield Goal.at_most("largest worker at its peak, MB", max(peaks), MEMORY_MB)
    if shares := [row.events_behind.median for row in rows.values() if row.events_behind is not None]:
        yield Goal.at_most("events without a confirm at the last answer, by commands", max(shares), EVENTS_BEHIND)


def _ratio(rows: dict[str, Row], case: str, measure: str) -> float | None:
    if case not in rows or measure not in rows:
        return None
    return rows[case].per_second.median / rows[measure].per_second.median


def _noise(*rows: Row) -> float:
    """What "no fewer" allows for: half the distance of the rounds' extremes by their median, of the case that varies
    most; a tenth at most."""
    spreads = ((row.per_second.most - row.per_second.least) / row.per_second.median / 2 for row in rows)
    return min(max(spreads), _NOISE_MOST)


def _cpu(row: Row) -> float:
    """All CPU time for a command: its inverse bounds the rate of a machine whose cores are all busy with it."""
    return sum(part.median for part in row.cpu_us.values())
