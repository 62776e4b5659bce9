"""What the front counts, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

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


class Hashes(Protocol):
    """What computes hashes of passwords."""

    started: int
    refused: int

    @property
    def waiting(self) -> int:
        """Those that no thread computes yet."""
        ...


def count_hashes(registry: CollectorRegistry, hashes: Hashes) -> None:
    """What guesses at passwords cost us, and how many were looked at at all."""
    begun = Gauge("mana_password_hashes", "Hashes of passwords begun since the start", registry=registry)
    begun.set_function(lambda: hashes.started)
    waiting = Gauge("mana_password_hashes_waiting", "Hashes that wait for a thread", registry=registry)
    waiting.set_function(lambda: hashes.waiting)
    refused = Gauge(
        "mana_password_hashes_refused", "Hashes refused since the start, since too many waited", registry=registry
    )
    refused.set_function(lambda: hashes.refused)


class Pool(Protocol):
    """Connections to PostgreSQL: how many there are, may be, are free, and how many callers wait for one."""

    @property
    def size(self) -> int: ...
    @property
    def size_max(self) -> int: ...
    @property
    def idle(self) -> int: ...
    @property
    def waiting(self) -> int: ...


def show_pool(registry: CollectorRegistry, pool: Pool) -> None:
    """``mana_database_pool_…``: whether requests wait for connections."""
    figures: dict[str, tuple[str, Callable[[], float]]] = {
        "connections": ("Connections of this process to PostgreSQL", lambda: pool.size),
        "connections_max": ("As many as there may be", lambda: pool.size_max),
        "connections_idle": ("Those that nobody uses now", lambda: pool.idle),
        "waiting": ("Transactions that wait for a connection", lambda: pool.waiting),
    }
    for name, (meaning, figure) in figures.items():
        Gauge(f"mana_database_pool_{name}", meaning, registry=registry).set_function(figure)


def count_redis(registry: CollectorRegistry, connections: Callable[[], float]) -> None:
    """``mana_redis_connections``: those for notes of tries; limits have one besides."""
    gauge = Gauge("mana_redis_connections", "Connections to Redis for notes of tries", registry=registry)
    gauge.set_function(connections)


def process_registry() -> CollectorRegistry:
    """A registry with what is known of the process itself: memory, CPU time, open files, its start."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class BrokerMetrics:
    """Commands sent, and what became of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "mana_commands_sent", "Commands sent, by type and outcome", ["type", "outcome"], registry=registry
        )
        self._seconds = Histogram(
            "mana_command_seconds",
            "From sending a command to its reply, through queue, ledger and back",
            ["type"],
            buckets=_SECONDS,
            registry=registry,
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

    def answered(self, command: str, seconds: float) -> None:
        """Counts one command whose reply came after so long."""
        self.outcome(command, "answered")
        self._seconds.labels(command).observe(seconds)
