"""What a batch adds to the figures: answers by type and result, credits by kind, times of its oldest command."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from contracts.commands import NO_METADATA
from contracts.decoding import Envelope
from contracts.replies import Balance, Transaction, TransactionType
from workers.broker.consumer import Delivery
from workers.intake.counting import count
from workers.ledger.execute import Committed
from workers.ledger.happening import Happening
from workers.meters import Meters

NOW = datetime.now(UTC)


def _happening(kind: TransactionType, amount: int) -> Happening:
    transaction = Transaction(
        id="t",
        user_id="u",
        type=kind,
        status="completed",
        amount=amount,
        balance_before=0,
        balance_after=amount,
        app_id=None,
        origin="app",
        description="",
        metadata=NO_METADATA,
        idempotency_key="k",
        refers_to=None,
        sequence=1,
        created_at=NOW,
        completed_at=NOW,
    )
    return Happening(1, transaction, Balance(0, 0, 0, 0), None)


def _delivery(timestamp: int | None, arrived_at: float) -> Delivery:
    return Delivery(1, Envelope(routing_key="u"), b"{}", 0, None, timestamp, arrived_at)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def _figures(registry: CollectorRegistry, name: str) -> dict[str, float | None]:
    kinds = ("usage", "adjustment", "purchase")
    return {kind: registry.get_sample_value(name, {"type": kind}) for kind in kinds}


def test_credits_are_added_up_by_kind_and_direction(registry: CollectorRegistry) -> None:
    events = {0: [_happening("usage", -3)], 1: [_happening("usage", -4), _happening("purchase", 500)]}
    first = Committed([], events, NOW)
    second = Committed([], {0: [_happening("adjustment", 7), _happening("adjustment", -2)]}, NOW)
    count({}, None, [first, second], Meters(registry))
    assert _figures(registry, "mana_credits_out_total") == {"usage": 7, "adjustment": 2, "purchase": 0}
    assert _figures(registry, "mana_credits_in_total") == {"usage": 0, "adjustment": 7, "purchase": 500}


def test_answers_are_counted_by_type_and_result(registry: CollectorRegistry) -> None:
    count({("credits.use", "ok"): 5, ("credits.use", "insufficient_credits"): 2}, None, [], Meters(registry))
    labels = {"type": "credits.use", "result": "insufficient_credits"}
    assert registry.get_sample_value("mana_commands_total", labels) == 2


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
def test_the_time_in_the_queue_is_from_the_senders_timestamp(registry: CollectorRegistry, unit: int) -> None:
    arrived = 1_800_000_000.0
    count({}, _delivery((1_800_000_000 - 40) * unit, arrived), [], Meters(registry))
    assert registry.get_sample_value("mana_command_queue_seconds_sum") == 40


def test_a_clock_that_is_ahead_and_no_timestamp_are_no_time_in_the_queue(registry: CollectorRegistry) -> None:
    meters = Meters(registry)
    count({}, _delivery(1_800_000_009, 1_800_000_000.0), [], meters)
    assert registry.get_sample_value("mana_command_queue_seconds_sum") == 0
    count({}, _delivery(None, 1_800_000_000.0), [], meters)
    assert registry.get_sample_value("mana_command_queue_seconds_count") == 1


def test_the_time_here_is_from_the_arrival(registry: CollectorRegistry) -> None:
    count({}, _delivery(None, time.time() - 3), [], Meters(registry))
    seconds = registry.get_sample_value("mana_command_worker_seconds_sum")
    assert seconds is not None
    assert seconds >= 3
