"""By what a command is found again: here, at its sender, in the ledger and among traces."""

from __future__ import annotations

from contracts.trace_context import trace_id
from workers.intake.reading import Item


def ids(item: Item) -> dict[str, object]:
    """For a line of the log. No secret is among them; what the sender did not say is left out."""
    envelope = item.delivery.envelope
    told = item.rejected if item.request is None else item.request.command
    found = {
        "partition": item.partition,
        "user_id": getattr(told, "user_id", None),
        "app_id": getattr(told, "app_id", None),
        "login": envelope.login,
        "on_behalf": envelope.on_behalf,
        "idempotency_key": getattr(told, "idempotency_key", None),
        "message_id": envelope.message_id,
        "correlation_id": envelope.correlation_id,
        "trace_id": trace_id(item.traceparent),
    }
    return {name: value for name, value in found.items() if isinstance(value, str | int)}
