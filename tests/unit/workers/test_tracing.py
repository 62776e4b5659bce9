"""Spans of batches that do not go through at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import pytest
from msgspec import structs
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry

from contracts.commands import ReadBalance
from contracts.decoding import Envelope
from contracts.permissions import Logins
from contracts.replies import Balance, BalanceRead, as_json
from contracts.spans import Spans
from workers.broker.consumer import Delivery
from workers.intake import settling
from workers.intake.batching import Portion
from workers.intake.inlet import Inlet
from workers.intake.reading import Item
from workers.intake.settling import Settled, Settler
from workers.ledger.execute import Committed
from workers.ledger.faults import BatchRejected, ConnectionLost, TryAgain
from workers.ledger.model import Request
from workers.meters import Meters
from workers.tracing.batches import TracedSettler
from workers.tracing.commands import end, reading

USER = "0190f2a0-7c1b-7000-8000-00000000000"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Fences:
    def __init__(self) -> None:
        self.epochs = {0: 1}

    def marks(self, partitions: set[int]) -> dict[int, int]:
        return {}

    def wrote(self, marks: dict[int, int]) -> None: ...

    def lose(self, partitions: frozenset[int]) -> None: ...


class _Ledger:
    """Raises what it is given, one after the other; then commits, but never what user 9 wants."""

    def __init__(self, *faults: Exception) -> None:
        self._faults = list(faults)

    async def execute(
        self, requests: Sequence[Request], epochs: Mapping[int, int], marks: Mapping[int, int]
    ) -> Committed:
        if self._faults:
            raise self._faults.pop(0)
        if any(request.user_id.endswith("9") for request in requests):
            raise BatchRejected("Key (account_id)=(secret) is wrong")
        return Committed([BalanceRead(Balance(0, 0, 0, 0)) for _ in requests], {}, NOW)


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(kept: InMemorySpanExporter) -> Spans:
    return Spans(SimpleSpanProcessor(kept), Resource({}))


def _item(number: int, spans: Spans, *, flag: str = "01") -> Item:
    user = f"{USER}{number}"
    envelope = Envelope(
        routing_key=user,
        type="credits.balance",
        login="chat",
        reply_to="chat.replies",
        traceparent=f"00-{number:032x}-{'2' * 16}-{flag}",
    )
    delivery = Delivery(number, envelope, as_json(ReadBalance(user_id=user)), 0, None)
    item = reading(spans)(delivery, 0, Logins(), None, {})
    assert item.request is not None, item.rejected
    return item


async def _settled(ledger: _Ledger, spans: Spans, *items: Item) -> Settled:
    settler: Settler = TracedSettler(ledger.execute, _Fences(), Meters(CollectorRegistry()), spans)
    settled = await settler.settle([Portion(cast(Inlet, None), list(items))])
    end(settled, spans)
    return settled


def _of(kept: InMemorySpanExporter, number: int) -> dict[str, ReadableSpan]:
    """A command's spans."""
    return {span.name: span for span in kept.get_finished_spans() if _trace_of(span) == number}


def _trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def _shared(kept: InMemorySpanExporter, commands: int) -> list[ReadableSpan]:
    """The transactions of batches, in order."""
    transactions = [span for span in kept.get_finished_spans() if span.name == "transaction"]
    return [span for span in transactions if _trace_of(span) > commands]


def test_the_time_in_the_queue_is_told_where_its_sender_said_when_it_began(
    kept: InMemorySpanExporter, spans: Spans
) -> None:
    """Whatever else stands in that header is no time: of another unit, in the future, or no number at all."""
    now = time.time_ns() // 1_000_000
    for number, said in enumerate([now - 40, now // 1000, now + 60_000, now - 10**9, -1, True, "now", None], start=1):
        delivery = Delivery(
            number, Envelope(routing_key=USER, traceparent=f"00-{number:032x}-{1:016x}-01"), b"", 0, None
        )
        reading(spans)(structs.replace(delivery, sent_at=said), 3, Logins(), None, {})
    (queued,) = kept.get_finished_spans()
    assert (queued.name, _trace_of(queued), queued.start_time) == ("wait in queue", 1, (now - 40) * 1_000_000)
    assert (queued.attributes or {})["messaging.destination.partition.id"] == "3"
    assert queued.parent is not None
    assert queued.parent.span_id == 1, "whose sender's it is"


async def test_of_a_batch_that_was_halved_each_command_shows_the_transaction_that_did_it(
    kept: InMemorySpanExporter, spans: Spans
) -> None:
    await _settled(_Ledger(), spans, _item(1, spans), _item(2, spans), _item(9, spans))
    tried = _shared(kept, 9)
    assert [(span.attributes or {})["mana.commands"] for span in tried] == [3, 1, 2, 1, 1]
    assert [span.status.status_code for span in tried] == [
        *(StatusCode.ERROR, StatusCode.UNSET, StatusCode.ERROR, StatusCode.UNSET, StatusCode.ERROR)
    ]
    for number, shared in ((1, tried[1]), (2, tried[3])):
        (link,) = _of(kept, number)["transaction"].links
        assert link.context == shared.context
    culprit = _of(kept, 9)
    assert "transaction" not in culprit
    assert (culprit["process credits.balance"].attributes or {})["mana.result"] == "internal"
    assert culprit["process credits.balance"].status.status_code is StatusCode.ERROR


async def test_no_message_of_a_fault_is_told(kept: InMemorySpanExporter, spans: Spans) -> None:
    await _settled(_Ledger(), spans, _item(9, spans))
    told = "".join(span.to_json() for span in kept.get_finished_spans())
    assert "BatchRejected" in told
    assert "secret" not in told


async def test_a_batch_that_is_tried_again_has_both_transactions(
    kept: InMemorySpanExporter, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "_PAUSE_SECONDS", (0.0, 0.0))
    await _settled(_Ledger(TryAgain("busy")), spans, _item(1, spans))
    first, second = _shared(kept, 1)
    assert (first.status.description, second.status.status_code) == ("TryAgain", StatusCode.UNSET)
    assert _of(kept, 1)["transaction"].links[0].context == second.context


async def test_a_batch_whose_outcome_is_unknown_fails(kept: InMemorySpanExporter, spans: Spans) -> None:
    with pytest.raises(ConnectionLost):
        await _settled(_Ledger(ConnectionLost("gone")), spans, _item(1, spans))
    (batch,) = (span for span in kept.get_finished_spans() if span.name == "batch")
    assert batch.status.description == "ConnectionLost"
    assert _of(kept, 1) == {}, "it comes again, and then it is answered"


async def test_a_batch_of_nobody_who_wants_traces_has_none(kept: InMemorySpanExporter, spans: Spans) -> None:
    item = _item(1, spans, flag="00")
    settled = await _settled(_Ledger(), spans, item)
    assert (len(settled.outcomes), item.trace, kept.get_finished_spans()) == (1, None, ())
