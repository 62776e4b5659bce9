"""What becomes of a top-up by Stripe's answer: only what leaves no doubt ends it, and nothing is paid twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from workers.payments.model import PaymentIntent
from workers.payments.topping_up.deciding import Again, Failed, Stuck, Waiting, decide, may_ask, why
from workers.payments.topping_up.model import NoAnswer, Refused

DECLINED = {"code": "card_declined", "decline_code": "insufficient_funds"}


def intent(status: str, error: dict[str, Any] | None = None) -> PaymentIntent:
    fields = {"id": "pi_1", "status": status, "currency": "eur", "last_payment_error": error}
    return msgspec.convert(fields, PaymentIntent)


def refused(status: int, **words: Any) -> Refused:
    return Refused(status=status, **{"kind": "invalid_request_error", **words})


@pytest.mark.parametrize("status", ["succeeded", "processing"])
def test_what_stripe_has_taken_on_is_waited_for(status: str) -> None:
    assert decide(intent(status)) == Waiting("pi_1")


@pytest.mark.parametrize("status", ["requires_action", "requires_payment_method", "requires_confirmation", "canceled"])
def test_a_payment_that_its_payer_would_have_to_go_on_with_has_failed(status: str) -> None:
    assert decide(intent(status)) == Failed(status, "pi_1")
    assert decide(intent(status, DECLINED)) == Failed("insufficient_funds", "pi_1")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"kind": "card_error", **DECLINED}, "insufficient_funds"),
        ({"kind": "card_error", "code": "authentication_required"}, "authentication_required"),
        ({"code": "payment_intent_payment_attempt_failed"}, "payment_intent_payment_attempt_failed"),
        ({"kind": "card_error"}, "payment_failed"),
        ({"kind": "card_error", "code": "c" * 1000}, "c" * 100),
    ],
)
def test_a_decline_ends_it_with_its_code(words: dict[str, Any], reason: str) -> None:
    assert decide(refused(402, intent="pi_1", **words)) == Failed(reason, "pi_1")


@pytest.mark.parametrize("param", ["payment_method", "customer"])
def test_a_card_or_a_customer_that_is_gone_ends_it(param: str) -> None:
    assert decide(refused(400, code="resource_missing", param=param)) == Failed("resource_missing", None)


def test_a_request_that_stripe_does_not_take_ends_it_with_an_alarm() -> None:
    told = refused(400, code="amount_too_small", param="amount")
    assert decide(told) == Failed("amount_too_small", None, alarm=True)
    assert decide(refused(400)) == Failed("invalid_request_error", None, alarm=True)


@pytest.mark.parametrize("status", [409, 424, 425, 429, 500, 502, 503, 504])
def test_trouble_at_stripe_leaves_it_open(status: int) -> None:
    assert isinstance(decide(refused(status, kind="api_error", code="lock_timeout")), Again)
    assert isinstance(decide(refused(status, kind="idempotency_error")), Again)


@pytest.mark.parametrize("status", [200, 302, 400, 402, 403, 404, 500])
def test_an_answer_that_is_not_stripes_leaves_it_open(status: int) -> None:
    """A proxy's page, or half an answer."""
    assert isinstance(decide(Refused(status=status)), Again)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_leaves_it_open_with_an_alarm(status: int) -> None:
    decision = decide(refused(status))
    assert isinstance(decision, Again)
    assert decision.alarm


def test_no_answer_leaves_it_open() -> None:
    assert decide(NoAnswer("cut")) == Again("cut")


def test_other_words_under_the_same_key_are_for_somebody_to_look_at() -> None:
    assert isinstance(decide(refused(400, kind="idempotency_error")), Stuck)


def test_nothing_is_sent_under_a_key_that_stripe_may_have_forgotten() -> None:
    assert may_ask(timedelta(hours=22, minutes=59))
    assert not may_ask(timedelta(hours=23))


def test_why_a_payment_failed() -> None:
    assert why(intent("canceled", {"code": "card_declined"})) == "card_declined"
    assert why(intent("canceled")) == "payment_failed"
