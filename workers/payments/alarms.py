"""What somebody has to look at: counted, and told in the log with the event's id."""

from __future__ import annotations

import structlog

from workers.payments.meters import AlarmKind, PaymentsMeters

_log = structlog.get_logger(__name__)


def alarm(meters: PaymentsMeters, kind: AlarmKind, event_id: str, reason: str) -> None:
    """Raises one. The reason stands in the event's row as well."""
    meters.alarms_raised.labels(kind).inc()
    _log.error("an event of Stripe's needs somebody", kind=kind, event_id=event_id, reason=reason)
