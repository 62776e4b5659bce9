"""What the keeper of apps' logins counts, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from workers.apps.model import Kind

_KINDS: Final[tuple[Kind, ...]] = ("made", "changed", "paused", "removed", "unbound", "cut", "dropped")


class AppsMeters:
    """Made once per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.done = Counter(
            "mana_app_logins",
            "What was done at the broker: logins made (anew, too), changed, paused, removed; bindings, and ways into"
            " the commands' exchange, taken away; queues and exchanges of revoked apps dropped",
            ("what",),
            registry=registry,
        )
        for kind in _KINDS:  # there from the start, so that the first one is seen as a rise
            self.done.labels(kind)
        self.failed = Counter("mana_app_logins_failed", "What the broker refused to do", registry=registry)
        self.uses_failed = Counter(
            "mana_app_uses_failed",
            "Looks for who is logged in, one a minute, that failed: last uses of secrets may be older than told, and"
            " who came in while a secret was revoked may still be there",
            registry=registry,
        )
        self.waiting = Gauge(
            "mana_app_logins_waiting", "Of the last round: what is still not as the rows say", registry=registry
        )
        self.rounded = Gauge(
            "mana_app_logins_round_timestamp_seconds",
            "When all was last found, or made, as the rows say; 0 before that",
            registry=registry,
        )
