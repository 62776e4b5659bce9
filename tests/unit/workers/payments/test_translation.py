"""Every type of event, in every state that its object may be in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contracts.commands import Buy, ClawBack, Thaw
from contracts.payments import Payment, Refunded, RefundFailed
from tests.unit.workers.payments.examples import (
    BY_NAME,
    BY_PAYMENT,
    INTENT,
    METADATA,
    PAID,
    PENDING,
    PRICE,
    PURCHASE,
    SESSION,
    USER,
    answered,
    dispute,
    intent,
    keys,
    refund,
    session,
    told,
    translated,
)
from workers.payments.model import Ask, Asked, Commands, Ignored, Known, Named, Refused

PAID_KEY = f"stripe:purchase:{INTENT}"
COMPLETED = "checkout.session.completed"


def _paid(session_id: str | None = None) -> Buy:
    fact = Payment(amount=PRICE, currency="eur", payment_intent_id=INTENT, checkout_session_id=session_id)
    return Buy(user_id=USER, idempotency_key=PAID_KEY, purchase_id=PURCHASE, paid=fact)


@pytest.mark.parametrize("kind", [COMPLETED, "checkout.session.async_payment_succeeded"])
@pytest.mark.parametrize(
    "known", [BY_NAME, BY_PAYMENT, Known(by_session={SESSION: PENDING})], ids=["by name", "by payment", "by session"]
)
def test_a_paid_checkout_tells_the_payment(kind: str, known: Known) -> None:
    assert translated(kind, session(), known) == Commands(USER, (_paid(SESSION),))


def test_a_payment_without_a_checkout_tells_the_same() -> None:
    result = translated("payment_intent.succeeded", intent())
    assert result == Commands(USER, (_paid(),))
    assert told(result) == told(translated(COMPLETED, session()))


def test_what_was_paid_is_told_and_not_what_should_have_been() -> None:
    result = translated(COMPLETED, session(amount_total=499, currency="usd"))
    assert isinstance(result, Commands)
    (command,) = result.commands
    assert isinstance(command, Buy)
    assert command.paid is not None
    assert (command.paid.amount, command.paid.currency) == (499, "usd")


def test_a_checkout_that_is_not_paid_yet_is_nothing() -> None:
    assert isinstance(translated(COMPLETED, session(payment_status="unpaid", payment_intent=None)), Ignored)


@pytest.mark.parametrize(
    ("about", "word"),
    [
        (session(payment_status="no_payment_required"), "no_payment_required"),
        (session(payment_intent=None), "without payment_intent"),
        (session(amount_total=None), "amount_total"),
        (session(currency=None), "currency"),
        (session(amount_total=0), "nothing"),
    ],
)
def test_a_checkout_of_ours_that_makes_no_sense_is_refused(about: dict[str, Any], word: str) -> None:
    result = translated(COMPLETED, about)
    assert isinstance(result, Refused)
    assert word in result.reason


@pytest.mark.parametrize("kind", ["checkout.session.async_payment_failed", "checkout.session.expired"])
def test_a_checkout_that_comes_to_nothing_fails_under_its_own_key(kind: str) -> None:
    result = translated(kind, session(payment_status="unpaid", payment_intent=None))
    assert keys(result) == [f"stripe:purchase_failed:{SESSION}"]
    assert isinstance(result, Commands)
    assert isinstance(result.commands[0], Buy)
    assert result.commands[0].failed


@pytest.mark.parametrize(
    ("error", "why"),
    [
        ({"code": "card_declined", "decline_code": "lost_card"}, "declined: lost_card"),
        ({"code": "expired_card", "decline_code": None}, "declined: expired_card"),
        ({}, "declined"),
        (None, "declined"),
        ({"code": "x" * 600}, "declined: " + "x" * 100),
    ],
)
def test_a_declined_payment_fails_under_the_payments_key(error: dict[str, Any] | None, why: str) -> None:
    declined = intent(status="requires_payment_method", amount_received=0, last_payment_error=error)
    result = translated("payment_intent.payment_failed", declined)
    key = f"stripe:purchase_failed:{INTENT}"
    assert result == Commands(USER, (Buy(user_id=USER, idempotency_key=key, purchase_id=PURCHASE, failed=why),))


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"])
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", "pending"),
        ("requires_action", "pending"),
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_a_refund_tells_its_payment_and_then_its_own_state(kind: str, status: str, state: str) -> None:
    result = translated(kind, refund(status), BY_PAYMENT)
    key = f"stripe:refund:re_1:{state}"
    if state == "failed":
        gone = RefundFailed(id="re_1", amount=200, state="failed")
        fact = Thaw(user_id=USER, idempotency_key=key, purchase_id=PURCHASE, refund=gone)
    else:
        back = Refunded(id="re_1", amount=200, state="succeeded" if state == "succeeded" else "pending")
        fact = ClawBack(user_id=USER, idempotency_key=key, purchase_id=PURCHASE, refund=back)
    assert result == Commands(USER, (_paid(), fact))


@pytest.mark.parametrize("status", ["surprising", None])
def test_a_refund_in_a_state_that_nobody_knows_is_refused(status: str | None) -> None:
    assert isinstance(translated("refund.updated", refund(status), BY_PAYMENT), Refused)


def test_a_refunded_charge_has_to_be_asked_which_refunds_those_are() -> None:
    charge = {"id": "ch_1", "payment_intent": INTENT}
    assert translated("charge.refunded", charge, BY_PAYMENT) == Ask("refunds", INTENT)
    two = answered(refunds=[refund(), refund("pending", id="re_2")])
    result = translated("charge.refunded", charge, BY_PAYMENT, two)
    assert keys(result) == [PAID_KEY, "stripe:refund:re_1:succeeded", "stripe:refund:re_2:pending"]
    assert isinstance(translated("charge.refunded", charge, BY_PAYMENT, answered(refunds=[])), Ignored)


@pytest.mark.parametrize("known", [BY_NAME, BY_PAYMENT], ids=["by name", "by payment"])
def test_refunds_and_disputes_in_other_money_than_the_purchases_are_refused(known: Known) -> None:
    asked = answered(payment=intent(), refunds=[refund(), refund(id="re_2", currency="usd")])
    charge = {"id": "ch_1", "payment_intent": INTENT}
    told = {"charge.refunded": charge, "refund.updated": refund(currency="usd")}
    told |= {"charge.dispute.created": dispute(currency="usd")}
    for kind, about in told.items():
        result = translated(kind, about, known, asked)
        assert isinstance(result, Refused), kind
        assert "in usd of a purchase in eur" in result.reason


LATER = [
    ("refund.created", refund()),
    ("charge.refunded", {"id": "ch_1", "payment_intent": INTENT}),
    ("charge.dispute.created", dispute()),
]


@pytest.mark.parametrize(("kind", "about"), LATER)
def test_of_a_payment_that_nobody_knows_stripe_is_asked(kind: str, about: dict[str, Any]) -> None:
    assert translated(kind, about, BY_NAME) == Ask("payment", INTENT)
    asked = answered(payment=intent(), refunds=[refund()])
    assert told(translated(kind, about, BY_NAME, asked)) == told(translated(kind, about, BY_PAYMENT, asked))


@pytest.mark.parametrize(("kind", "about"), LATER)
def test_what_stripe_says_of_that_payment_is_judged_too(kind: str, about: dict[str, Any]) -> None:
    foreign = answered(payment=intent(metadata={}), refunds=[refund()])
    assert isinstance(translated(kind, about, BY_NAME, foreign), Ignored)
    assert isinstance(translated(kind, about, BY_NAME, Asked(payments={INTENT: None})), Refused)
    assert isinstance(translated(kind, about, Known(), answered(payment=intent())), Refused)
    empty = answered(payment=intent(amount_received=0), refunds=[refund()])
    assert isinstance(translated(kind, about, BY_NAME, empty), Refused)
    unpaid = answered(payment=intent(status="processing", amount_received=0), refunds=[refund()])
    assert PAID_KEY not in keys(translated(kind, about, BY_NAME, unpaid))


@pytest.mark.parametrize(("kind", "about"), LATER)
def test_a_second_payment_of_a_purchase_takes_nothing_back_from_the_first(kind: str, about: dict[str, Any]) -> None:
    """The ledger refused it, so it never brought credits; giving its money back must not take any."""
    by_other = msgspec.structs.replace(PAID, payment_intent="pi_other")
    known = Known(by_payment={"pi_other": by_other}, by_name={Named(USER, PURCHASE): by_other})
    asked = answered(payment=intent(), refunds=[refund()])
    assert isinstance(translated(kind, about, known, asked), Ignored)


def test_what_was_paid_without_a_payment_intent_is_not_ours() -> None:
    for kind, about in LATER:
        assert isinstance(translated(kind, {**about, "payment_intent": None}, BY_PAYMENT), Ignored)


OURS = [(COMPLETED, session()), ("payment_intent.succeeded", intent()), *LATER]


@pytest.mark.parametrize(("kind", "about"), OURS)
def test_the_other_mode_and_other_accounts_are_refused_whatever_they_say(kind: str, about: dict[str, Any]) -> None:
    for live in (True, False):
        assert isinstance(translated(kind, about, BY_PAYMENT, live=live, livemode=not live), Refused)
    assert isinstance(translated(kind, about, BY_PAYMENT, account="acct_1"), Refused)
    assert not isinstance(translated(kind, about, BY_PAYMENT, live=None, livemode=True), Refused)


@pytest.mark.parametrize("make", [session, intent])
def test_metadata_must_name_a_purchase_that_is_there(make: Any) -> None:
    kind = COMPLETED if make is session else "payment_intent.succeeded"
    assert isinstance(translated(kind, make(), Known()), Refused)
    others = {"user_id": PURCHASE, "purchase_id": PURCHASE}
    for wrong in (others, {**METADATA, "user_id": None}, {**METADATA, "purchase_id": PURCHASE.upper()}):
        assert isinstance(translated(kind, make(metadata=wrong)), Refused)
    for foreign in ({}, None, {"user_id": USER}):
        assert isinstance(translated(kind, make(metadata=foreign)), Ignored)


def test_other_types_mean_nothing_whatever_they_hold() -> None:
    for about in ({}, session(), {"id": 7}):
        assert isinstance(translated("invoice.paid", about, BY_PAYMENT), Ignored)
    assert isinstance(translated("invoice.paid", {}, account="acct_1"), Refused)
