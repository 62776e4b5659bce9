"""An overload in windows of time: what arrived, was refused, was answered, and when answers were quick again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from bench.open_loop import Arrivals, Offer

WINDOW_SECONDS: Final = 5.0
QUICK_SECONDS: Final = 1.0
"""Answer times are normal where the 99th percentile of a window is below."""


@dataclass(frozen=True)
class Window:
    """``begins`` counts from the first arrival. ``p99_ms`` is of what was due in the window, a refusal counting as
    endless (then there is none); ``answers`` are those that were given in it, whenever their commands were due."""

    begins: float
    arrivals: int
    refused: int
    answers: int
    p99_ms: float | None

    @property
    def is_quick(self) -> bool:
        """Whether 99 arrivals in 100 were answered in time."""
        return self.p99_ms is not None and self.p99_ms < 1000 * QUICK_SECONDS


def windows(arrivals: Arrivals, offer: Offer) -> list[Window]:
    """The whole windows of one offer."""
    count = int((offer.ends - offer.begins + 0.001) / WINDOW_SECONDS)
    took: list[list[float]] = [[] for _ in range(count)]
    answers = [0] * count
    for due, seconds in zip(arrivals.due[: offer.last], arrivals.took[: offer.last], strict=True):
        if 0 <= (place := _window(due, offer)) < count:
            took[place].append(seconds)
        if math.isfinite(seconds) and 0 <= (place := _window(due + seconds, offer)) < count:
            answers[place] += 1
    return [
        _told(offer.begins + number * WINDOW_SECONDS, each, answered)
        for number, (each, answered) in enumerate(zip(took, answers, strict=True))
    ]


def seconds_to_recover(after: list[Window]) -> float | None:
    """From the first of these windows' begin to the end of the last that was not quick; ``None`` where that is the last
    of all."""
    slow = [number for number, window in enumerate(after, start=1) if not window.is_quick]
    if slow and slow[-1] == len(after):
        return None
    return WINDOW_SECONDS * slow[-1] if slow else 0.0


def _window(at: float, offer: Offer) -> int:
    return math.floor((at - offer.begins) / WINDOW_SECONDS)


def _told(begins: float, took: list[float], answers: int) -> Window:
    ordered = sorted(took)
    p99 = 1000 * ordered[int(0.99 * (len(ordered) - 1))] if ordered else math.inf
    refused = sum(map(math.isinf, ordered))
    return Window(round(begins, 1), len(took), refused, answers, round(p99, 1) if math.isfinite(p99) else None)
