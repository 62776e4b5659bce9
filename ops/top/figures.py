"""Figures out of what processes export, pure: sums, differences of counters, quantiles of histograms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

Labels = Mapping[str, str]
Figures = Mapping[str, Sequence[tuple[Labels, float]]]
"""All samples of one process, or of several, by name: as `mana_commands_total`, with its labels."""

NONE: Final[Figures] = {}


def read(text: str) -> Figures:
    """What stands in Prometheus's own form. Raises ValueError for what does not."""
    figures: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            figures.setdefault(sample.name, []).append((sample.labels, sample.value))
    return figures


def total(figures: Figures, name: str, **labels: str) -> float | None:
    """The sum of what has these labels; None where nobody tells."""
    found = [value for has, value in figures.get(name, ()) if labels.items() <= has.items()]
    return sum(found) if found else None


def by(figures: Figures, name: str, label: str) -> dict[str, float]:
    """The sums for each value of a label."""
    sums: dict[str, float] = {}
    for labels, value in figures.get(name, ()):
        if label in labels:
            sums[labels[label]] = sums.get(labels[label], 0.0) + value
    return sums


def increase(before: Figures, now: Figures) -> Figures:
    """What one process's counters have grown by. One that is less than before counts from its process's new start."""
    earlier = {(name, _key(labels)): value for name, samples in before.items() for labels, value in samples}
    return {
        name: [(labels, _grown(earlier.get((name, _key(labels)), 0.0), value)) for labels, value in samples]
        for name, samples in now.items()
    }


def _key(labels: Labels) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def _grown(before: float, now: float) -> float:
    return now - before if now >= before else now


def together(processes: Iterable[Figures]) -> Figures:
    """Those of all processes."""
    joined: dict[str, list[tuple[Labels, float]]] = {}
    for figures in processes:
        for name, samples in figures.items():
            joined.setdefault(name, []).extend(samples)
    return joined


def quantile(figures: Figures, histogram: str, share: float, **labels: str) -> float | None:
    """So many of the observations took at most so long; between two bounds as if they lay evenly, as Prometheus has it.

    None without any. What lies beyond the last bound counts as that bound.
    """
    counts: dict[float, float] = {}
    for has, value in figures.get(f"{histogram}_bucket", ()):
        if labels.items() <= has.items():
            bound = float(has["le"])
            counts[bound] = counts.get(bound, 0.0) + value
    bounds = sorted(counts)
    if not bounds or counts[bounds[-1]] <= 0:
        return None
    wanted = share * counts[bounds[-1]]
    below, seen = 0.0, 0.0
    for bound in bounds:
        if counts[bound] >= wanted:
            if bound == float("inf"):
                return below
            inside = counts[bound] - seen
            return below + (bound - below) * ((wanted - seen) / inside if inside else 1.0)
        below, seen = bound, counts[bound]
    return below
