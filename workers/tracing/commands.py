"""A command's spans in the trace of who sent it: from its arrival to its answer, and the parts of that."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from opentelemetry.trace import Span, SpanContext, SpanKind

from contracts.apps import NO_APPS, Apps
from contracts.permissions import Logins
from contracts.spans import Spans, fail, traceparent
from contracts.topology import COMMANDS_EXCHANGE
from workers.broker.consumer import Delivery
from workers.intake.delivering import result_of
from workers.intake.identifying import ids
from workers.intake.reading import Item, Read, read
from workers.intake.settling import Poison, Settled
from workers.ledger.model import Request

_MS_IN_NS: Final = 1_000_000
_WAITS_MAX: Final = 7 * 86_400 * 1_000_000_000
"""Nanoseconds: whoever says that it was sent longer ago means another unit, or has no clock."""
_FAULTS: Final = frozenset({"internal", "overloaded"})
"""Results that are ours to mend; every other one is an answer, and no failure."""


class CommandTrace(Struct):
    """What is known of a command that is on its way; times in nanoseconds since 1970. ``batch`` is the span of the
    batch that served it, ``committed`` that of its database transaction with its beginning and end."""

    span: Span
    arrived: int
    taken: int = 0
    batch: SpanContext | None = None
    committed: tuple[SpanContext, int, int] | None = None


def reading(spans: Spans) -> Read:
    """Reads a delivery, and begins its span. Reply and event carry on that span's context instead of the sender's."""

    def begin(
        delivery: Delivery, partition: int, logins: Logins, nodes: Collection[int] | None = None, apps: Apps = NO_APPS
    ) -> Item:
        arrived = time.time_ns()
        item = read(delivery, partition, logins, nodes, apps)
        kind = _kind(item)
        span = spans.begin(f"process {kind}", SpanKind.CONSUMER, item.traceparent, _attributes(item, kind), at=arrived)
        if not span.is_recording():
            return item
        carried = traceparent(span)
        request = None if item.request is None else replace(item.request, traceparent=carried)
        rejected = None if item.rejected is None else replace(item.rejected, traceparent=carried)
        sent = _sent(delivery, arrived)
        if sent is not None:
            spans.begin(
                "wait in queue", SpanKind.INTERNAL, item.traceparent or carried, _queue(partition), at=sent
            ).end(arrived)
        trace = CommandTrace(span, arrived)
        return replace(item, traceparent=carried, request=request, rejected=rejected, trace=trace)

    return begin


def end(settled: Settled, spans: Spans) -> None:
    """Ends the spans of the commands that a batch came to an end with, once their answers are sent."""
    now = time.time_ns()
    for portion in settled.portions:
        for item in portion.items:
            if item.trace is not None:
                _end(item, item.trace, _result(item, settled), spans, now)


def _end(item: Item, trace: CommandTrace, result: str, spans: Spans, now: int) -> None:
    span = trace.span
    here = traceparent(span)
    if trace.batch is not None:
        span.add_link(trace.batch)
        spans.begin("wait for batch", SpanKind.INTERNAL, here, at=trace.arrived).end(trace.taken)
    if trace.committed is not None:
        shared, began, ended = trace.committed
        attributes = {"db.system.name": "postgresql"}
        spans.begin("transaction", SpanKind.CLIENT, here, attributes, links=[shared], at=began).end(ended)
    if item.reply_to is not None:
        began = now if trace.committed is None else trace.committed[2]
        spans.begin("reply", SpanKind.PRODUCER, here, {"messaging.system": "rabbitmq"}, at=began).end(now)
    span.set_attribute("mana.result", result)
    if result in _FAULTS:
        fail(span, result)
    span.end(now)


def _sent(delivery: Delivery, arrived: int) -> int | None:
    """When it was sent, in nanoseconds since 1970, where that was said and can be."""
    said = delivery.sent_at
    sent = said * _MS_IN_NS if isinstance(said, int) else 0
    return sent if arrived - _WAITS_MAX < sent <= arrived else None


def _queue(partition: int) -> dict[str, str]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.destination.name": COMMANDS_EXCHANGE,
        "messaging.destination.partition.id": str(partition),
    }


def _result(item: Item, settled: Settled) -> str:
    outcome = settled.outcomes.get(id(item))
    if item.rejected is not None:
        return item.rejected.error.code
    if outcome is None:
        return "unanswered"  # its partition is somebody else's by now, and there it comes again
    return "internal" if isinstance(outcome, Poison) else result_of(outcome)


def _kind(item: Item) -> str:
    request: Request | None = item.request
    if request is not None:
        return request.command.type
    return "unknown" if item.rejected is None else item.rejected.command


def _attributes(item: Item, kind: str) -> dict[str, Any]:
    """The same ids as in the log; as OpenTelemetry names them, where it does."""
    known = ids(item)
    known.pop("trace_id", None)
    found = {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "process",
        "messaging.destination.name": COMMANDS_EXCHANGE,
        "messaging.message.id": known.pop("message_id", None),
        "messaging.message.conversation_id": known.pop("correlation_id", None),
        "mana.command": kind,
        "mana.redelivered": item.delivery.envelope.redelivered,
        **{f"mana.{name}": value for name, value in known.items()},
    }
    return {name: value for name, value in found.items() if value is not None}
