"""What the subscribers' rows come to: answer times with and without trouble, and whether who kept up got everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bench.results import Goal, Row, Spread
from bench.subscriber import Verdict

NOBODY: Final = "no subscriber"
HEALTHY: Final = "one that keeps up"
BOTH_HEALTHY: Final = "one more that keeps up"
REFUSING: Final = "one more that refuses"
BEHIND: Final = "one more that is far behind"
CASES: Final = (NOBODY, HEALTHY, BOTH_HEALTHY, REFUSING, BEHIND)

_LEAST_NOISE: Final = 0.1
_MOST_NOISE: Final = 0.3


@dataclass(frozen=True)
class Followed:
    """A case's usages, the events that the full queue turned away, and what the subscriber that keeps up got."""

    case: str
    usages: int
    refused: int
    verdict: Verdict


def ratios(rows: list[Row]) -> dict[str, Any]:
    """Answer times of each case by those without any subscriber, without this one, and with a healthy one in its place:
    p50, p99."""
    found = {row.name: row for row in rows}
    told: dict[str, Any] = {}
    for case, without in (
        (HEALTHY, NOBODY),
        (REFUSING, NOBODY),
        (BEHIND, NOBODY),
        (REFUSING, HEALTHY),
        (BEHIND, HEALTHY),
        (REFUSING, BOTH_HEALTHY),
        (BEHIND, BOTH_HEALTHY),
    ):
        pairs = _latencies(found[case], found[without])
        told[f"{case} / {without}"] = ", ".join(
            f"{name} {ours.median / theirs.median:.3f}" for name, ours, theirs in pairs
        )
    return told


def injected(followed: list[Followed]) -> dict[str, Any]:
    """That the full queue refused, and how much of what was published to it."""
    refusing = [each for each in followed if each.case == REFUSING]
    turned_away, usages = sum(each.refused for each in refusing), sum(each.usages for each in refusing)
    return {"refused by the full queue": f"{turned_away:,} of {usages:,} events"}


def unchanged(rows: list[Row]) -> Iterator[Goal]:
    """Answer times with a sick subscriber, by those with a healthy one in its place.

    A further queue is work for the broker, whoever reads it; what must not show is that this one is in trouble.
    """
    found = {row.name: row for row in rows}
    for case in (REFUSING, BEHIND):
        for name, ours, theirs in _latencies(found[case], found[BOTH_HEALTHY]):
            allowed = noise(ours, theirs)
            why = f" (1 and the rounds' spread of {allowed:.3f})"
            yield Goal.at_most(f"{case}: {name}, by a healthy one's", ours.median / theirs.median, 1 + allowed, why)


def all_followed(followed: list[Followed]) -> Iterator[Goal]:
    """Of each case: no event missing at the subscriber that keeps up, none out of order."""
    for case in (HEALTHY, BOTH_HEALTHY, REFUSING, BEHIND):
        mine = [each for each in followed if each.case == case]
        usages, got = sum(each.usages for each in mine), sum(each.verdict.usages for each in mine)
        yield Goal.at_least(f"{case}: events that it got, of {usages:,}", got / usages, 1)
        out_of_order = sum(each.verdict.out_of_order for each in mine)
        yield Goal.at_most(f"{case}: events that it got out of order", out_of_order, 0)
    refusing = [each for each in followed if each.case == REFUSING]
    share = sum(each.refused for each in refusing) / sum(each.usages for each in refusing)
    yield Goal.at_least(f"{REFUSING}: events that it refused, of all", share, 0.9)


def _latencies(row: Row, without: Row) -> Iterator[tuple[str, Spread, Spread]]:
    if row.p50_ms is not None and without.p50_ms is not None:
        yield "p50", row.p50_ms, without.p50_ms
    if row.p99_ms is not None and without.p99_ms is not None:
        yield "p99", row.p99_ms, without.p99_ms


def noise(*spreads: Spread) -> float:
    """What "unchanged" allows for: half the distance of the rounds' extremes by their median, of the case that varies
    most; a tenth at least, three at most."""
    widest = max((each.most - each.least) / each.median / 2 for each in spreads)
    return min(max(widest, _LEAST_NOISE), _MOST_NOISE)
