"""How many commands a worker puts into one transaction, from its own metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bench.scrape import scrape

_METRIC: Final = "mana_batch_commands"


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


async def read_batches(urls: Iterable[str]) -> Batches | None:
    """Asks the processes at these addresses; ``None`` where there are none, or one has no such metric."""
    found = [await scrape(url) for url in urls]
    if not found or any(f"{_METRIC}_count" not in samples for samples in found):
        return None
    return sum((Batches(each[f"{_METRIC}_count"], each[f"{_METRIC}_sum"]) for each in found), Batches(0, 0))
