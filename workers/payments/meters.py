"""What the payments worker counts, for Prometheus."""

from __future__ import annotations

from typing import Final, Literal, get_args

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from workers.payments.store import Figures, Finished

AlarmKind = Literal["unreadable", "refused", "ledger", "unanswered", "denied", "internal"]
_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200)


class PaymentsMeters:
    """Made once per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.kept = Counter("mana_stripe_events_kept", "Events that came for the first time", registry=registry)
        self.repeated = Counter("mana_stripe_events_repeated", "Events that were kept already", registry=registry)
        self.events = Counter(
            "mana_stripe_events",
            "Events worked off, by type and outcome (done, ignored, refused)",
            ("type", "outcome"),
            registry=registry,
        )
        self.seconds = Histogram(
            "mana_stripe_event_seconds", "From an event's receipt to its end", buckets=_SECONDS, registry=registry
        )
        self.commands = Counter(
            "mana_stripe_commands",
            "Commands sent, by type and what the broker said (confirmed, refused, unroutable, lost)",
            ("type", "verdict"),
            registry=registry,
        )
        self.questions = Counter(
            "mana_stripe_questions",
            "Questions to Stripe, by kind and result (answered, away, denied)",
            ("kind", "result"),
            registry=registry,
        )
        self.alarms_raised = Counter(
            "mana_stripe_alarms_raised",
            "Events that somebody has to look at, by kind",
            ("kind",),
            registry=registry,
        )
        for kind in get_args(AlarmKind):  # there from the start, so that the first one is seen as a rise
            self.alarms_raised.labels(kind)
        self.alarms = Gauge("mana_stripe_alarms", "Events that are not done and have an alarm", registry=registry)
        self.waiting = Gauge("mana_stripe_events_waiting", "Events that are not done", registry=registry)
        self.oldest = Gauge(
            "mana_stripe_oldest_event_seconds", "Age of the oldest event that is not done", registry=registry
        )
        self.bodies_forgotten = Counter(
            "mana_stripe_bodies_forgotten", "Bodies of old events that were forgotten", registry=registry
        )

    def finished(self, event: Finished) -> None:
        """Counts an event that is done."""
        self.events.labels(event.type, event.outcome).inc()
        self.seconds.observe(event.seconds)

    def measured(self, figures: Figures) -> None:
        """Shows how much there is to do."""
        self.waiting.set(figures.waiting)
        self.alarms.set(figures.alarms)
        self.oldest.set(figures.oldest)
