"""A process's own metrics (Prometheus text format 0.0.4)."""

from __future__ import annotations

from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

_PATIENCE_SECONDS: Final = 30.0


async def scrape(url: str) -> dict[str, float]:
    """Samples by name, those with labels left out. Raises ``httpx.HTTPError``."""
    async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE_SECONDS) as client:
        page = (await client.get(f"{url}/metrics")).text
    families = text_string_to_metric_families(page)
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}
