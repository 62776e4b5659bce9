"""A batch's span, which serves many traces and is linked with each, and below it that of each database transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from opentelemetry.trace import Span, SpanKind

from contracts.spans import Spans, fail, traceparent
from workers.intake.batching import Portion
from workers.intake.settling import Execute, Fences, Settled, Settler
from workers.ledger.execute import Committed
from workers.ledger.model import Request
from workers.meters import Meters
from workers.tracing.commands import CommandTrace


class TracedSettler(Settler):
    """Settles as the other does. One batch at a time, so what is known of it stands here."""

    def __init__(self, execute: Execute, fences: Fences, meters: Meters, spans: Spans) -> None:
        super().__init__(self._traced, fences, meters)
        self._spans = spans
        self._inner = execute
        self._batch: Span | None = None
        self._of_request: dict[int, CommandTrace] = {}

    async def settle(self, portions: list[Portion]) -> Settled:
        """A batch without a sampled command has no span."""
        items = [item for portion in portions for item in portion.items if item.trace is not None]
        traces = [item.trace for item in items if item.trace is not None]
        if not traces:
            return await super().settle(portions)
        taken = time.time_ns()
        links = [trace.span.get_span_context() for trace in traces]
        commands = sum(len(portion.items) for portion in portions)
        batch = self._spans.begin_shared("batch", links, {"mana.commands": commands, "mana.partitions": len(portions)})
        for trace in traces:
            trace.taken, trace.batch = taken, batch.get_span_context()
        self._batch = batch
        self._of_request = {id(item.request): item.trace for item in items if item.trace is not None}
        try:
            return await super().settle(portions)
        except BaseException as error:
            fail(batch, type(error).__name__)
            raise
        finally:
            batch.end()
            self._batch = None
            self._of_request = {}

    async def _traced(
        self, requests: Sequence[Request], epochs: Mapping[int, int], marks: Mapping[int, int]
    ) -> Committed:
        """One run of the ledger's transaction; a batch that is tried again, or halved, has several."""
        if self._batch is None:
            return await self._inner(requests, epochs, marks)
        attributes = {"db.system.name": "postgresql", "mana.commands": len(requests)}
        span = self._spans.begin("transaction", SpanKind.CLIENT, traceparent(self._batch), attributes)
        began = time.time_ns()
        try:
            committed = await self._inner(requests, epochs, marks)
        except BaseException as error:
            fail(span, type(error).__name__)
            raise
        else:
            ended = time.time_ns()
            for request in requests:
                trace = self._of_request.get(id(request))
                if trace is not None:
                    trace.committed = (span.get_span_context(), began, ended)
            return committed
        finally:
            span.end()
