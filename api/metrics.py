"""What the front counts, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMetrics:
    """Requests by route, method and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "mana_http_request_seconds",
            "Time to answer a request",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=registry,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one answer; methods that nobody knows are counted as one."""
        known = method if method in _METHODS else "other"
        self._seconds.labels(known, route, str(status)).observe(seconds)


def count_hashes(registry: CollectorRegistry, started: Callable[[], float]) -> None:
    """``mana_password_hashes``: what guesses at passwords cost us, and how many were looked at at all."""
    hashes = Gauge("mana_password_hashes", "Hashes of passwords begun since the start", registry=registry)
    hashes.set_function(started)


class BrokerMetrics:
    """Commands sent, and what became of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "mana_commands_sent", "Commands sent, by type and outcome", ["type", "outcome"], registry=registry
        )
        self.late_replies = Counter(
            "mana_late_replies", "Replies to requests that nobody waits for any more", registry=registry
        )
        self.reconnects = Counter("mana_broker_connections", "Connections made to the broker", registry=registry)
        self.connected = Gauge("mana_broker_connected", "1 while commands can be sent", registry=registry)
        self.pending = Gauge("mana_requests_pending", "Commands whose reply is awaited", registry=registry)

    def outcome(self, command: str, outcome: str) -> None:
        """Counts one command: ``answered``, ``confirmed``, ``refused`` by the broker, or ``unknown``."""
        self._outcomes.labels(command, outcome).inc()
