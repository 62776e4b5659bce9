"""A line for each command: who, what, and by which ids it is found again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from contracts.commands import NO_METADATA, Use
from contracts.decoding import Envelope, Rejected
from contracts.errors import Error, invalid_field
from contracts.permissions import Actor
from contracts.replies import Balance, Done, Refused, Transaction
from workers.broker.consumer import Delivery
from workers.intake import telling
from workers.intake.batching import Portion
from workers.intake.inlet import Inlet
from workers.intake.reading import Item
from workers.intake.settling import Outcome, Poison, Settled
from workers.ledger.model import Request

TRACE = "0af7651916cd43dd8448eb211c80319c"
AT = datetime(2026, 1, 1, tzinfo=UTC)
IDS = {
    "partition": 3,
    "user_id": "ada",
    "app_id": "chat",
    "login": "chat.k3f9x0a2b7c1",
    "idempotency_key": "chat:1",
    "message_id": "m-1",
    "correlation_id": "c-1",
    "trace_id": TRACE,
}


def _item() -> Item:
    envelope = Envelope(
        routing_key="ada",
        login="chat.k3f9x0a2b7c1",
        message_id="m-1",
        correlation_id="c-1",
        reply_to="amq.rabbitmq.reply-to.secret",
        redelivered=True,
    )
    command = Use(user_id="ada", amount=2, app_id="chat", description="d", idempotency_key="chat:1")
    request = Request(command=command, actor=Actor("app"), partition=3)
    return Item(Delivery(1, envelope, b"{}", 0, None), 3, None, f"00-{TRACE}-b7ad6b7169203331-01", request)


def _told(item: Item, outcome: Outcome) -> list[Any]:
    settled = Settled([Portion(cast(Inlet, None), [item])], {id(item): outcome}, [], AT)
    with capture_logs() as lines:
        telling.tell(settled)
    return lines


@pytest.fixture
def at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "workers.intake.telling")


def test_nothing_is_told_above_debug() -> None:
    assert _told(_item(), Refused(Error("unknown_user", "m"))) == []


@pytest.mark.usefixtures("at_debug")
def test_what_was_done_is_told_with_its_transaction() -> None:
    made = Transaction(
        "t-1", "ada", "usage", "completed", -2, 5, 3, "chat", "app", "d", NO_METADATA, "chat:1", None, 2, AT, AT
    )
    (line,) = _told(_item(), Done(made, Balance(0, 3, 5, 2), replayed=True))
    told = {"type": "credits.use", "result": "replayed", "redelivered": True, "transaction_id": "t-1"}
    assert line == {"event": "command answered", "log_level": "debug", **told, **IDS}


@pytest.mark.usefixtures("at_debug")
@pytest.mark.parametrize(
    ("outcome", "result"), [(Refused(Error("unknown_user", "m")), "unknown_user"), (Poison("r"), "internal")]
)
def test_what_was_not_done_is_told_by_its_code(outcome: Outcome, result: str) -> None:
    (line,) = _told(_item(), outcome)
    assert (line["result"], line["user_id"], "transaction_id" in line) == (result, "ada", False)


@pytest.mark.usefixtures("at_debug")
def test_what_is_no_command_is_told_by_what_it_says() -> None:
    rejected = Rejected(invalid_field("amount", "is 0"), True, None, command="credits.use", user_id="ada")
    delivery = Delivery(1, Envelope(routing_key="ada", on_behalf=7), b"{}", 0, None)
    (line,) = _told(Item(delivery, 0, None, None, rejected=rejected), None)
    assert line["result"] == "invalid_request"
    assert (line["user_id"], line["type"]) == ("ada", "credits.use")


@pytest.mark.usefixtures("at_debug")
def test_what_comes_again_is_not_told() -> None:
    assert _told(_item(), None) == []
