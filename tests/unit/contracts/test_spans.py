"""What holds for spans whoever makes them."""

from __future__ import annotations

import threading

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from contracts import spans as module
from contracts.spans import Spans, traceparent
from contracts.trace_context import read


class _Stuck(SpanProcessor):
    """Waits for a collector that does not answer."""

    def __init__(self) -> None:
        self.asked, self.answers = threading.Event(), threading.Event()

    def shutdown(self) -> None:
        self.asked.set()
        self.answers.wait()


def test_a_collector_that_is_away_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_END_SECONDS", 0.01)
    stuck = _Stuck()
    Spans(stuck, Resource({})).close()
    assert not stuck.answers.is_set()
    stuck.asked.wait()
    stuck.answers.set()


def test_what_is_left_is_sent_at_the_end() -> None:
    kept = InMemorySpanExporter()
    spans = Spans(BatchSpanProcessor(kept, schedule_delay_millis=3_600_000), Resource({}))
    spans.begin("a", SpanKind.INTERNAL, None).end()
    assert kept.get_finished_spans() == ()
    spans.close()
    assert [span.name for span in kept.get_finished_spans()] == ["a"]


def test_a_shared_span_is_linked_with_all_that_it_serves_whatever_the_sampler_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    kept = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(kept), Resource({}))
    unwanted = spans.begin("a", SpanKind.INTERNAL, None)
    assert not unwanted.is_recording()
    wanted = spans.begin("b", SpanKind.INTERNAL, f"00-{'1' * 32}-{'2' * 16}-01")
    spans.begin_shared("batch", [wanted.get_span_context()] * 300, {}).end()
    (batch,) = kept.get_finished_spans()
    assert (batch.name, batch.parent, len(batch.links)) == ("batch", None, 300)


def test_a_context_is_handed_on_as_it_is_read() -> None:
    spans = Spans(SimpleSpanProcessor(InMemorySpanExporter()), Resource({}))
    given = f"00-{'1' * 32}-{'2' * 16}-01"
    carried = traceparent(spans.begin("a", SpanKind.INTERNAL, given))
    assert read(carried) == carried
    assert (carried[:35], carried[-3:], carried != given) == (given[:35], "-01", True)


def test_a_long_text_is_cut() -> None:
    kept = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(kept), Resource({}))
    spans.begin("a", SpanKind.INTERNAL, None, {"mana.idempotency_key": "k" * 1000}).end()
    (span,) = kept.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["mana.idempotency_key"] == "k" * 300
