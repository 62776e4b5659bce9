"""What the worker counts, for Prometheus. Names are part of what dashboards and alarms rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from contracts.replies import TransactionType

_BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 512)
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_QUEUE_SECONDS: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600)

DeadCause = Literal["client", "ours"]
"""Whose fault it is that a message is dead: its sender's, or a defect of ours."""


class Meters:
    """All meters of a ledger worker, made once per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.commands = Counter(
            "mana_commands",
            "Commands answered, by type and result (ok, replayed or the error's code)",
            ("type", "result"),
            registry=registry,
        )
        self.excess = Counter(
            "mana_app_commands_refused",
            "Messages not taken on because their app has sent too many (rate), or too many without an answer"
            " (unanswered); repeats of those that have an answer count too, and get it, and so do those refused in any"
            " case; app is empty where no login was proven",
            ("app", "limit"),
            registry=registry,
        )
        self.pauses = Counter(
            "mana_app_pauses",
            "Pauses of an app's login, since it flooded: decided by this worker, to be made at the broker",
            ("app",),
            registry=registry,
        )
        self.batch_size = Histogram(
            "mana_batch_commands", "Deliveries settled together", buckets=_BATCH_SIZES, registry=registry
        )
        self.database_seconds = Histogram(
            "mana_batch_database_seconds",
            "From a batch's first statement to its last",
            buckets=_SECONDS,
            registry=registry,
        )
        self.queue_seconds = Histogram(
            "mana_command_queue_seconds",
            "From a command's own timestamp, in whole seconds, to its arrival here: the oldest of each batch, where it"
            " has one",
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )
        self.worker_seconds = Histogram(
            "mana_command_worker_seconds",
            "From a command's arrival here to its answer: the oldest of each batch",
            buckets=_SECONDS,
            registry=registry,
        )
        self._credits_in = Counter(
            "mana_credits_in", "Credits that accounts were given, by type of transaction", ("type",), registry=registry
        )
        self._credits_out = Counter(
            "mana_credits_out", "Credits that accounts lost, by type of transaction", ("type",), registry=registry
        )
        for kind in get_args(TransactionType):  # there from the start, so that the first one is seen as a rise
            self._credits_in.labels(kind)
            self._credits_out.labels(kind)
        self.dead = Counter(
            "mana_dead_letters", "Messages kept in credits.dead, by whose fault it is", ("cause",), registry=registry
        )
        for cause in get_args(DeadCause):
            self.dead.labels(cause)
        self.redelivered = Counter("mana_deliveries_redelivered", "Deliveries that came again", registry=registry)
        self.retries = Counter("mana_batch_retries", "Batches tried again whole", registry=registry)
        self.halvings = Counter("mana_batch_halvings", "Batches halved to find a culprit", registry=registry)
        self.conflicts = Counter(
            "mana_commands_looked_at_twice",
            "Commands tried again alone, since another owner's row had come in meanwhile",
            registry=registry,
        )
        self.poisoned = Counter(
            "mana_commands_poisoned", "Commands kept in credits.dead for our fault", registry=registry
        )
        self.mistakes_lost = Counter(
            "mana_unreadable_lost",
            "Unreadable messages of which no copy was kept: their app has sent too many, or credits.dead is full; not"
            " those that are beyond the app's commands per second",
            registry=registry,
        )
        self.late_replies_lost = Counter(
            "mana_late_replies_lost", "Replies to suspicious deliveries that found no way out", registry=registry
        )
        self.events_published = Counter("mana_events_confirmed", "Events that the broker confirmed", registry=registry)
        self.events_refused = Counter(
            "mana_events_refused", "Events that a subscriber's full queue refused: kept in the log", registry=registry
        )
        self.event_lag = Gauge(
            "mana_event_lag", "Committed positions without a confirmed event", ("partition",), registry=registry
        )
        self.partitions = Gauge("mana_partitions", "Partitions that there are", registry=registry)
        self.partition_owned = Gauge(
            "mana_partition_owned", "1 for each partition whose lease is ours", ("partition",), registry=registry
        )
        self.owned = Gauge("mana_partitions_owned", "Partitions whose lease is ours", registry=registry)
        self.consuming = Gauge("mana_partitions_consuming", "Partitions that we consume", registry=registry)
        self.fence_refusals = Counter(
            "mana_fence_refusals", "Partitions lost because their epoch was not ours any more", registry=registry
        )
        self.blocked = Gauge("mana_broker_blocked", "1 while the broker takes nothing from us", registry=registry)
        self.kept_refused = Gauge(
            "mana_kept_refused",
            "Messages without other memory that the broker does not take: their partitions wait",
            registry=registry,
        )

    def answered(self, results: Mapping[tuple[str, str], int]) -> None:
        """Counts a batch's commands, by type and result."""
        for labels, number in results.items():
            self.commands.labels(*labels).inc(number)

    def moved(self, gained: Mapping[str, int], lost: Mapping[str, int]) -> None:
        """Counts a batch's credits, by type of transaction."""
        for kind, number in gained.items():
            self._credits_in.labels(kind).inc(number)
        for kind, number in lost.items():
            self._credits_out.labels(kind).inc(number)
