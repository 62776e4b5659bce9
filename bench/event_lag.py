"""Committed usages whose events the broker has not confirmed: part of the work, though no answer waits for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bench.scrape import scrape

_METRIC: Final = "mana_event_lag"


async def events_behind(urls: Iterable[str]) -> int:
    """How many there are now, by the own count of the workers at these addresses."""
    return int(sum([(await scrape(url)).get(_METRIC, 0.0) for url in urls]))
