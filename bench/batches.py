"""How many commands a worker puts into one transaction, from its own metrics (Prometheus text format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

_METRIC: Final = "mana_batch_commands"
_PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Batches:
    """Transactions so far, and the commands in them."""

    count: float
    commands: float

    def mean_since(self, earlier: Batches) -> float | None:
        """Commands per transaction in between; ``None`` where there was none."""
        count = self.count - earlier.count
        return (self.commands - earlier.commands) / count if count else None

    def __add__(self, other: Batches) -> Batches:
        """Of both together."""
        return Batches(self.count + other.count, self.commands + other.commands)


async def read_batches(urls: Iterable[str | None]) -> Batches | None:
    """Asks the processes at these addresses; ``None`` where not all have such a metric."""
    found = [await _of_process(url) for url in urls if url is not None]
    known = [batches for batches in found if batches is not None]
    return sum(known, Batches(0, 0)) if known and len(known) == len(found) else None


async def _of_process(url: str) -> Batches | None:
    async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE_SECONDS) as client:
        page = (await client.get(f"{url}/metrics")).text
    samples = {
        sample.name: sample.value for family in text_string_to_metric_families(page) for sample in family.samples
    }
    count, commands = samples.get(f"{_METRIC}_count"), samples.get(f"{_METRIC}_sum")
    return None if count is None or commands is None else Batches(count, commands)
