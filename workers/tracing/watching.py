"""Puts the spans in their places."""

from __future__ import annotations

from functools import partial

from contracts.spans import Spans
from workers.intake.settling import Settled
from workers.intake.telling import tell
from workers.intake.watching import Watching
from workers.tracing.batches import TracedSettler
from workers.tracing.commands import end, reading
from workers.tracing.publishing import TracedPublisher


def traced(spans: Spans) -> Watching:
    """The log, and spans of every command, batch, transaction, reply and event."""

    def answered(settled: Settled) -> None:
        tell(settled)
        end(settled, spans)

    return Watching(
        read=reading(spans),
        settler=partial(TracedSettler, spans=spans),
        answered=answered,
        open_publisher=TracedPublisher.opener(spans),
        close=spans.close,
    )
