"""How many commands a worker puts into one transaction, from its own metrics (Prometheus text format 0.0.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

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


async def read_batches(url: str | None) -> Batches | None:
    """Asks the process at this address; ``None`` where it has no such metric."""
    if url is None:
        return None
    async with httpx.AsyncClient(trust_env=False) as client:
        page = (await client.get(f"{url}/metrics")).text
    samples = {
        sample.name: sample.value for family in text_string_to_metric_families(page) for sample in family.samples
    }
    count, commands = samples.get(f"{_METRIC}_count"), samples.get(f"{_METRIC}_sum")
    return None if count is None or commands is None else Batches(count, commands)
