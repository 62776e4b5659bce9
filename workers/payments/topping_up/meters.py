"""What is counted of top-ups, for Prometheus."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, get_args

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

Step = Literal["begun", "paid", "failed", "stopped", "told"]
_OPEN: Final = ("asking", "waiting", "stuck", "failed")

_log = structlog.get_logger(__name__)


class TopupMeters:
    """Made once per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._steps = Counter(
            "mana_topups",
            "Top-ups, by what became of them (begun, paid, failed, stopped, told)",
            ("step",),
            registry=registry,
        )
        self._looked = Gauge(
            "mana_topups_looked_timestamp_seconds",
            "When those who are due were last looked for with success, by whichever process",
            registry=registry,
        )
        self._open = Gauge("mana_topups_open", "Top-ups that are not over, by state", ("state",), registry=registry)
        self._alarms = Counter("mana_topup_alarms_raised", "Top-ups that somebody has to look at", registry=registry)
        for step in get_args(Step):  # there from the start, so that the first one is seen as a rise
            self._steps.labels(step)

    def count(self, step: Step, number: int = 1) -> None:
        """So many have come to this."""
        self._steps.labels(step).inc(number)

    def measured(self, numbers: dict[str, int]) -> None:
        """How many are in each state that is not the last."""
        for state in _OPEN:
            self._open.labels(state).set(numbers.get(state, 0))

    def looked(self, when: datetime | None) -> None:
        """When the last turn ended that went well; never yet, if ``None``."""
        if when is not None:
            self._looked.set(when.timestamp())

    def alarm(self, purchase_id: str | None, reason: str, **where: str) -> None:
        """Somebody has to look."""
        self._alarms.inc()
        _log.error("a top-up needs somebody", purchase_id=purchase_id, reason=reason, **where)
