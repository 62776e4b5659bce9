"""Disputes, in every state that Stripe knows."""

from __future__ import annotations

from typing import Any, Final, get_args

import pytest
import stripe

from contracts.commands import ClawBack, Thaw
from contracts.payments import Disputed, DisputeWon
from tests.unit.workers.payments.examples import (
    BY_PAYMENT,
    INTENT,
    PRICE,
    PURCHASE,
    USER,
    answered,
    dispute,
    keys,
    translated,
)
from workers.payments.model import OBJECTS, Ask, Commands, Refused

PAID_KEY: Final = f"stripe:purchase:{INTENT}"


@pytest.mark.parametrize("kind", [kind for kind in OBJECTS if kind.startswith("charge.dispute.")])
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("warning_needs_response", "open"),
        ("warning_under_review", "open"),
        ("needs_response", "open"),
        ("under_review", "open"),
        ("lost", "lost"),
        ("won", "won"),
        ("warning_closed", "won"),
        ("appeal_needs_response", "open"),
        ("appeal_under_review", "open"),
    ],
)
def test_a_dispute_tells_its_payment_and_then_its_own_state(kind: str, status: str, state: str) -> None:
    result = translated(kind, dispute(status), BY_PAYMENT, answered(of_dispute=dispute(status)))
    key = f"stripe:dispute:dp_1:{PRICE}:{state}"
    if state == "won":
        won = DisputeWon(id="dp_1", amount=PRICE, state="won")
        fact = Thaw(user_id=USER, idempotency_key=key, purchase_id=PURCHASE, dispute=won)
    else:
        held = Disputed(id="dp_1", amount=PRICE, state="lost" if state == "lost" else "open")
        fact = ClawBack(user_id=USER, idempotency_key=key, purchase_id=PURCHASE, dispute=held)
    assert isinstance(result, Commands)
    assert (keys(result)[0], result.commands[1:]) == (PAID_KEY, (fact,))


def test_funds_that_come_back_of_an_open_dispute_have_to_be_asked_about() -> None:
    kind = "charge.dispute.funds_reinstated"
    assert translated(kind, dispute("under_review"), BY_PAYMENT) == Ask("dispute", "dp_1")
    result = translated(kind, dispute("under_review"), BY_PAYMENT, answered(of_dispute=dispute("won")))
    assert keys(result) == [PAID_KEY, "stripe:dispute:dp_1:500:won"]
    assert keys(translated(kind, dispute("won"), BY_PAYMENT)) == keys(result)


def test_a_dispute_in_a_state_that_nobody_knows_is_refused() -> None:
    assert isinstance(translated("charge.dispute.updated", dispute("surprising"), BY_PAYMENT), Refused)


def test_each_status_that_stripes_library_names_is_one_that_we_know() -> None:
    statuses = get_args(get_args(stripe.Dispute.__annotations__["status"])[0])
    assert {"won", "prevented"} <= set(statuses)
    withdrawn = [{"amount": -PRICE}]
    for status in statuses:
        about = dispute(status, balance_transactions=withdrawn)
        assert isinstance(translated("charge.dispute.updated", about, BY_PAYMENT), Commands), status


def _moves(*amounts: int) -> dict[str, Any]:
    return {"balance_transactions": [{"id": "txn_1", "amount": amount, "fee": 2000} for amount in amounts]}


def _case(kind: str) -> dict[str, Any]:
    return {"payment_method_details": {"type": "card", "card": {"brand": "visa", "case_type": kind}}}


@pytest.mark.parametrize("kind", ["charge.dispute.updated", "charge.dispute.closed", "charge.dispute.created"])
@pytest.mark.parametrize(
    ("told", "state"),
    [
        (_moves(-PRICE), "lost"),
        (_moves(-PRICE) | _case("block"), "lost"),
        (_moves(-PRICE, 300), "lost"),
        (_moves() | _case("resolution"), "lost"),
        (_case("resolution"), "lost"),
        (_moves(-PRICE, PRICE), "won"),
        (_moves() | _case("block"), "won"),
        (_moves() | _case("inquiry"), "won"),
        (_moves(), None),
        (_moves() | _case("chargeback"), None),
        ({"balance_transactions": None, "payment_method_details": {"type": "klarna", "klarna": {}}}, None),
        ({"payment_method_details": None}, None),
        ({}, None),
    ],
)
def test_of_a_dispute_that_was_prevented_the_money_decides(kind: str, told: dict[str, Any], state: str | None) -> None:
    result = translated(kind, dispute("prevented", **told), BY_PAYMENT)
    if state is None:
        assert isinstance(result, Refused)
        assert "whose the money is" in result.reason
    else:
        assert keys(result) == [PAID_KEY, f"stripe:dispute:dp_1:500:{state}"]


def test_another_amount_of_the_same_dispute_is_another_command() -> None:
    kind = "charge.dispute.updated"
    less, all_of_it = (keys(translated(kind, dispute(amount=amount), BY_PAYMENT)) for amount in (200, PRICE))
    assert (less[-1], all_of_it[-1]) == ("stripe:dispute:dp_1:200:open", "stripe:dispute:dp_1:500:open")
