"""What reconciliation counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from workers.payments.reconciling.report import Report


class ReconcilingMeters:
    """Made once per registry; of the timer's runs alone."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.runs = Counter(
            "mana_stripe_reconciliations",
            "Times when this process was to compare with Stripe: ended, failed, or left to another process (left)",
            ("outcome",),
            registry=registry,
        )
        self.differences = Counter(
            "mana_stripe_differences",
            "What differed: an event that never arrived, a payment; unmended is what somebody has to look at",
            ("what",),
            registry=registry,
        )
        self.well_at = Gauge(
            "mana_stripe_reconciled_timestamp_seconds",
            "When the last comparison that ended well began, of whichever process; or since when one is tried",
            registry=registry,
        )
        for outcome in ("ended", "failed", "left"):
            self.runs.labels(outcome)
        for what in ("event", "payment", "unmended"):
            self.differences.labels(what)

    def ended(self, report: Report) -> None:
        """Counts a run that went to its end."""
        counts = report.counts
        self.runs.labels("ended").inc()
        self.differences.labels("event").inc(counts.missing)
        self.differences.labels("payment").inc(counts.differences)
        self.differences.labels("unmended").inc(counts.unmended)
