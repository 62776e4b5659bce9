"""What is counted of the limits themselves."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class LimitMetrics:
    """Refusals by class, where is counted, and whether sign-ins are under pressure."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._refused = Counter(
            "mana_limits_refused", "Charges that a limit refused, by its class", ["limit"], registry=registry
        )
        self._alone = Gauge(
            "mana_limits_counted_alone", "1 while Redis is away, and this process counts by itself", registry=registry
        )
        self._failures = Counter(
            "mana_limits_redis_failures", "Charges that Redis did not judge in time", registry=registry
        )
        self._pressure = Gauge(
            "mana_sign_in_pressure", "1 while more sign-ins fail than people mistype", registry=registry
        )

    def refused(self, limit: str) -> None:
        """Counts one refusal."""
        self._refused.labels(limit).inc()

    def counted_alone(self, alone: bool) -> None:
        """Tells where is counted."""
        self._alone.set(alone)

    def failed(self) -> None:
        """Counts a charge for which Redis was waited in vain."""
        self._failures.inc()

    def pressure(self, is_on: Callable[[], bool]) -> None:
        """Whom to ask whether sign-ins are under pressure."""
        self._pressure.set_function(is_on)
