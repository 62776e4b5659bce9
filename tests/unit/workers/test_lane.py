"""A lane: in order, each confirmed before the mark passes it, whatever the broker does."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from msgspec import Raw
from prometheus_client import CollectorRegistry

from contracts.replies import Balance, Transaction
from contracts.topology import EVENTS_LOG
from workers.broker.publisher import Publication, Publisher, Settled, Verdict
from workers.events.lane import MEMORY, WINDOW, Lane
from workers.ledger.happening import Happening
from workers.meters import Meters

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _happening(position: int) -> Happening:
    transaction = Transaction(
        id=str(position),
        user_id="u",
        type="usage",
        status="completed",
        amount=-1,
        balance_before=2,
        balance_after=1,
        app_id="chat",
        origin="app",
        description="d",
        metadata=Raw(b"null"),
        idempotency_key=str(position),
        refers_to=None,
        sequence=position,
        created_at=_NOW,
        completed_at=_NOW,
    )
    return Happening(position, transaction, Balance(0, 1, 2, 1), None)


class _Broker:
    """A publisher that remembers what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[Publication, Settled]] = []

    def publish(self, message: Publication, settled: Settled) -> None:
        self.sent.append((message, settled))

    @property
    def ids(self) -> list[int]:
        return [int(message.message_id) for message, _ in self.sent]

    def settle(self, verdict: Verdict, *ids: int) -> None:
        """Gives its verdict on these, the last time each was sent."""
        for number in ids:
            at = len(self.ids) - 1 - self.ids[::-1].index(number)
            self.sent[at][1](verdict)


class _Ledger:
    """Committed rows, as the database has them."""

    def __init__(self, rows: int) -> None:
        self.rows = [_happening(position) for position in range(1, rows + 1)]

    async def read_after(self, _partition: int, position: int, limit: int) -> Sequence[Happening]:
        return self.rows[position : position + limit]


def _lane(ledger: _Ledger, *, mark: int = 0, head: int = 0) -> tuple[Lane, Meters]:
    meters = Meters(CollectorRegistry())
    return Lane(0, mark=mark, head=head, read=ledger.read_after, meters=meters), meters


def _attach(lane: Lane) -> _Broker:
    broker = _Broker()
    lane.attach(cast(Publisher, broker))
    return broker


def test_the_mark_passes_only_what_is_confirmed_without_a_gap() -> None:
    ledger = _Ledger(3)
    lane, _ = _lane(ledger)
    broker = _attach(lane)
    lane.offer(ledger.rows)
    assert broker.ids == [1, 2, 3]
    broker.settle(Verdict.CONFIRMED, 2, 3)
    assert lane.mark == 0
    broker.settle(Verdict.CONFIRMED, 1)
    assert lane.mark == 3


def test_after_a_loss_it_goes_on_from_the_first_unconfirmed_one() -> None:
    ledger = _Ledger(5)
    lane, _ = _lane(ledger)
    first = _attach(lane)
    lane.offer(ledger.rows[:4])
    first.settle(Verdict.CONFIRMED, 1, 3)
    first.settle(Verdict.LOST, 2, 4)
    lane.offer(ledger.rows[4:])
    second = _attach(lane)
    assert second.ids == [2, 3, 4, 5]
    first.settle(Verdict.CONFIRMED, 2)  # an old publisher has no say any more
    assert lane.mark == 1


def test_a_refused_event_goes_to_the_log_alone_in_order() -> None:
    ledger = _Ledger(4)
    lane, meters = _lane(ledger)
    broker = _attach(lane)
    lane.offer(ledger.rows[:3])
    broker.settle(Verdict.REFUSED, 3, 1)
    lane.offer(ledger.rows[3:])
    assert broker.ids == [1, 2, 3]
    broker.settle(Verdict.CONFIRMED, 2)
    copies = [message for message, _ in broker.sent[3:]]
    assert [(copy.exchange, copy.routing_key, copy.message_id) for copy in copies] == [
        ("", EVENTS_LOG, "1"),
        ("", EVENTS_LOG, "3"),
    ]
    broker.settle(Verdict.CONFIRMED, 1, 3)
    assert lane.mark == 3
    assert broker.ids == [1, 2, 3, 1, 3, 4]
    (refused,) = meters.events_refused.collect()
    assert refused.samples[0].value == 2


def test_the_window_bounds_what_is_on_its_way() -> None:
    ledger = _Ledger(WINDOW + 10)
    lane, _ = _lane(ledger)
    broker = _attach(lane)
    lane.offer(ledger.rows)
    assert broker.ids == list(range(1, WINDOW + 1))
    broker.settle(Verdict.CONFIRMED, 1)
    assert broker.ids[-1] == WINDOW + 1


async def test_what_memory_has_no_room_for_is_read_later() -> None:
    ledger = _Ledger(3 * MEMORY)
    lane, _ = _lane(ledger)
    for start in range(0, len(ledger.rows), 100):
        lane.offer(ledger.rows[start : start + 100])
    reading = asyncio.create_task(lane.catch_up())
    broker = _attach(lane)
    settled = 0
    async with asyncio.timeout(10):
        while lane.mark < len(ledger.rows):
            for _, verdict in broker.sent[settled:]:
                settled += 1
                verdict(Verdict.CONFIRMED)
            await asyncio.sleep(0)
    reading.cancel()
    assert broker.ids == list(range(1, len(ledger.rows) + 1))


async def test_a_new_owner_publishes_from_the_mark_on() -> None:
    ledger = _Ledger(7)
    lane, _ = _lane(ledger, mark=3, head=7)
    broker = _attach(lane)
    reading = asyncio.create_task(lane.catch_up())
    await asyncio.sleep(0.01)
    assert broker.ids == [4, 5, 6, 7]
    broker.settle(Verdict.CONFIRMED, 4, 5, 6, 7)
    await asyncio.wait_for(lane.flushed(), 1)
    reading.cancel()


def test_an_ended_lane_publishes_nothing() -> None:
    ledger = _Ledger(2)
    lane, _ = _lane(ledger)
    broker = _attach(lane)
    lane.offer(ledger.rows[:1])
    lane.end()
    lane.offer(ledger.rows[1:])
    broker.settle(Verdict.REFUSED, 1)
    assert broker.ids == [1]


def test_an_ended_lane_lets_go_of_its_rows_and_nobody_keeps_it() -> None:
    ledger = _Ledger(2)
    lane, meters = _lane(ledger)
    lane.offer(ledger.rows)
    (before,) = meters.event_lag.collect()
    lane.end()
    gone = weakref.ref(lane)
    del lane
    gc.collect()
    assert gone() is None
    (after,) = meters.event_lag.collect()
    assert (before.samples[0].value, after.samples[0].value) == (2, 0)


def _low(position: int) -> Happening:
    return _happening(position)._replace(low_threshold=2)


def _types(broker: _Broker) -> list[str]:
    return [message.routing_key for message, _ in broker.sent]


def test_low_credits_are_told_right_behind_their_transaction_and_the_mark_waits_for_both() -> None:
    ledger = _Ledger(0)
    ledger.rows = [_happening(1), _low(2), _happening(3)]
    lane, _ = _lane(ledger)
    broker = _attach(lane)
    lane.offer(ledger.rows)
    assert _types(broker) == ["credits.used.chat", "credits.used.chat", "credits.low.chat", "credits.used.chat"]
    first, second, low, third = (settled for _, settled in broker.sent)
    for settled in (first, third, low):
        settled(Verdict.CONFIRMED)
    assert lane.mark == 1
    second(Verdict.CONFIRMED)
    assert lane.mark == 3


def test_after_a_loss_both_go_out_again() -> None:
    ledger = _Ledger(0)
    ledger.rows = [_low(1)]
    lane, _ = _lane(ledger)
    first = _attach(lane)
    lane.offer(ledger.rows)
    first.sent[0][1](Verdict.CONFIRMED)
    second = _attach(lane)
    assert [message.message_id for message, _ in second.sent] == [message.message_id for message, _ in first.sent]
    second.sent[1][1](Verdict.CONFIRMED)
    assert lane.mark == 0
    second.sent[0][1](Verdict.CONFIRMED)
    assert lane.mark == 1


def test_of_both_only_the_refused_one_goes_to_the_log() -> None:
    ledger = _Ledger(0)
    ledger.rows = [_low(1), _low(2)]
    lane, _ = _lane(ledger)
    broker = _attach(lane)
    lane.offer(ledger.rows)
    ids = [message.message_id for message, _ in broker.sent]
    for (_, settled), verdict in zip(
        list(broker.sent), (Verdict.CONFIRMED, Verdict.REFUSED, Verdict.REFUSED, Verdict.CONFIRMED), strict=True
    ):
        settled(verdict)
    copies = broker.sent[4:]
    assert [(copy.routing_key, copy.message_id) for copy, _ in copies] == [(EVENTS_LOG, ids[1]), (EVENTS_LOG, ids[2])]
    assert lane.mark == 0
    for _, settled in copies:
        settled(Verdict.CONFIRMED)
    assert lane.mark == 2
