"""Spans of OpenTelemetry, as front and workers make them: parents by their ``traceparent``, no global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

Attributes = Mapping[str, str | int | bool]

_LINKS_MAX: Final = 4096
"""As many as a batch has commands, at most."""
_LENGTH_MAX: Final = 300
"""Characters of an attribute: what clients may choose freely is not longer."""
_END_SECONDS: Final = 3.0
_UNKNOWN: Final = "unknown_service"


class Spans:
    """Begins spans, which whoever begins them ends. The SDK sends them from a thread of its own."""

    def __init__(self, processor: SpanProcessor, resource: Resource) -> None:
        limits = SpanLimits(max_links=_LINKS_MAX, max_attribute_length=_LENGTH_MAX)
        provider = TracerProvider(resource=resource, shutdown_on_exit=False, span_limits=limits)
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("mana")
        # Of what serves many traces: there whenever one of those was sampled, whatever the sampler would say of it.
        certain = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False, span_limits=limits)
        certain.add_span_processor(processor)
        self._certain = certain.get_tracer("mana")
        self._processor = processor

    @classmethod
    def exported(cls, service: str, instance: str) -> Spans:
        """To the collector that the environment names; ``service`` is our name where it has none for us."""
        given = Resource.create()
        named = {SERVICE_NAME: service} if str(given.attributes[SERVICE_NAME]).startswith(_UNKNOWN) else {}
        resource = given.merge(Resource({**named, "service.instance.id": instance}))
        return cls(BatchSpanProcessor(OTLPSpanExporter()), resource)

    def close(self) -> None:
        """At the end of the process: sends what is left, for a moment. A collector that is away must not hold us up."""
        ending = Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        ending.join(_END_SECONDS)

    def begin(
        self,
        name: str,
        kind: SpanKind,
        parent: str | None,
        attributes: Attributes | None = None,
        *,
        links: Sequence[SpanContext] = (),
        at: int | None = None,
    ) -> Span:
        """A span in the trace of ``parent``, a ``traceparent``; without one the first of a new trace. ``at``: when it
        began, in nanoseconds since 1970."""
        linked = [Link(context) for context in links]
        return self._tracer.start_span(name, _context(parent), kind, attributes, linked, at)

    def begin_shared(self, name: str, links: Sequence[SpanContext], attributes: Attributes) -> Span:
        """The first span of a trace of its own, for what is done for many traces at once."""
        linked = [Link(context) for context in links]
        return self._certain.start_span(name, Context(), SpanKind.INTERNAL, attributes, linked)


def traceparent(span: Span) -> str:
    """The context that a span hands on."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def fail(span: Span, what: str) -> None:
    """Marks a span as failed. ``what`` is one of our own words, or an exception's class: never its message, which may
    quote what a client sent."""
    span.set_status(Status(StatusCode.ERROR, what))


def _context(parent: str | None) -> Context:
    if parent is None:
        return Context()
    trace, span, flags = (int(part, 16) for part in parent.split("-")[1:4])
    remote = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags))
    return set_span_in_context(NonRecordingSpan(remote), Context())
