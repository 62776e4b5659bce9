"""What the front counts of webhooks."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram

from api.webhooks.refusals import Reason

Outcome = Literal["queued", "overloaded", "disabled"]
Step = Literal["request", "signature", "confirm"]

_SECONDS: Final = (
    0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.007, 0.01, 0.015,
    0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip


class WebhookMetrics:
    """Webhooks of Stripe by what became of them, and where their time went."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "mana_stripe_webhooks", "Webhooks of Stripe, by what became of them", ["outcome"], registry=registry
        )
        self._seconds = Histogram(
            "mana_stripe_webhook_seconds",
            "Time to answer a webhook of Stripe, to check its signature, and until the broker confirmed it",
            ["step"],
            buckets=_SECONDS,
            registry=registry,
        )
        for outcome in (*get_args(Outcome), *get_args(Reason)):
            self._outcomes.labels(outcome)

    def count(self, outcome: Outcome | Reason) -> None:
        """One more webhook: queued, not queued because the broker did not take it, or because none are heard here; or
        refused, by the reason."""
        self._outcomes.labels(outcome).inc()

    @contextmanager
    def timed(self, step: Step) -> Generator[None]:
        """Measures a step, or the whole request, whatever comes of it."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds.labels(step).observe(time.perf_counter() - began)
