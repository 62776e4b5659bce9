"""What the process that counts uses shows, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

_RESULTS: Final = ("new", "repeated", "other", "unreadable")


class UsageMeters:
    """Made once per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.events = Counter(
            "mana_usage_events",
            "Events read: of new transactions, of repeated ones, of no transaction, unreadable",
            ("result",),
            registry=registry,
        )
        for result in _RESULTS:
            self.events.labels(result)
        self.lag = Gauge("mana_usage_lag_seconds", "Age of the last event when it was counted", registry=registry)
        self.healed = Counter(
            "mana_usage_accounts_healed", "Accounts of which something was counted from the ledger", registry=registry
        )
        self.breaks = Counter(
            "mana_usage_stream_breaks", "Times that the stream had not what was read last", registry=registry
        )
        self.counting = Gauge("mana_usage_counting", "1 in the one process that counts", registry=registry)
