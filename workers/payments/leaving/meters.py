"""What is counted of what users leave behind, for Prometheus."""

from __future__ import annotations

from typing import Final, Literal, get_args

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

Step = Literal["customer", "body", "purchase"]

_log: Final = structlog.get_logger(__name__)


class LeavingMeters:
    """Made once per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._done = Counter(
            "mana_stripe_left_behind",
            "What was put in order: a customer deleted at Stripe, an event's body forgotten, a purchase given up",
            ("what",),
            registry=registry,
        )
        self.customers = Gauge(
            "mana_stripe_customers_to_delete", "Customers of deleted users that Stripe still has", registry=registry
        )
        self.late_payments = Gauge(
            "mana_stripe_late_payments",
            "Purchases that were paid after their user was deleted, and not refunded",
            registry=registry,
        )
        self._alarms = Counter(
            "mana_stripe_left_behind_alarms_raised", "What somebody has to look at", registry=registry
        )
        for what in get_args(Step):  # there from the start, so that the first one is seen as a rise
            self._done.labels(what)

    def count(self, what: Step, number: int = 1) -> None:
        """So many are in order now."""
        self._done.labels(what).inc(number)

    def alarm(self, reason: str, **names: str) -> None:
        """Somebody has to look."""
        self._alarms.inc()
        _log.error("what a user left behind needs somebody", reason=reason, **names)
