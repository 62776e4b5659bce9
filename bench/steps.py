"""What a process's histograms say of the time in between: its median, by a label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.errors import BenchError


@dataclass(frozen=True)
class Histogram:
    """How many took up to so many seconds, by that bound."""

    up_to: Mapping[float, float]

    def since(self, earlier: Histogram) -> Histogram:
        """What came in between."""
        return Histogram({bound: number - earlier.up_to[bound] for bound, number in self.up_to.items()})

    def plus(self, other: Histogram) -> Histogram:
        """Both together."""
        bounds = self.up_to.keys() | other.up_to.keys()
        return Histogram({bound: self.up_to.get(bound, 0.0) + other.up_to.get(bound, 0.0) for bound in bounds})

    def median(self) -> float:
        """In seconds, as if those between two bounds were spread evenly. Raises ``BenchError`` where there are none."""
        bounds = [(0.0, 0.0), *sorted(self.up_to.items())]
        half = bounds[-1][1] / 2
        for (below, fewer), (bound, number) in pairwise(bounds):
            if number > fewer and number >= half:
                return below if math.isinf(bound) else below + (bound - below) * (half - fewer) / (number - fewer)
        raise BenchError("A histogram tells of nothing.")


async def histograms(url: str, name: str, label: str) -> dict[str, Histogram]:
    """The histograms of that name on a process's page of metrics, by the label's value. Raises ``httpx.HTTPError``."""
    async with httpx.AsyncClient(trust_env=False) as client:
        page = (await client.get(f"{url}/metrics")).text
    found = dict[str, dict[float, float]]()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == f"{name}_bucket":
                found.setdefault(sample.labels[label], {})[float(sample.labels["le"])] = sample.value
    return {value: Histogram(up_to) for value, up_to in found.items()}
