"""A process's own metrics (Prometheus text format 0.0.4)."""

from __future__ import annotations

from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

_PATIENCE_SECONDS: Final = 30.0


async def scrape(url: str) -> dict[str, float]:
    """Samples by name; those that differ by their labels alone are added up. Raises ``httpx.HTTPError``."""
    async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE_SECONDS) as client:
        page = (await client.get(f"{url}/metrics")).text
    samples = dict[str, float]()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            samples[sample.name] = samples.get(sample.name, 0.0) + sample.value
    return samples
