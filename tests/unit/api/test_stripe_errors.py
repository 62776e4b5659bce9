"""What an error of Stripe's library means: to come again, to ask anew, or neither."""

from __future__ import annotations

import pytest
import stripe

from api.errors import Refusal, Unavailable
from api.payments.stripe_client import Refused, judged

REPLAYED = {"idempotent-replayed": "true"}


@pytest.mark.parametrize(
    "error",
    [
        stripe.APIConnectionError("m"),
        stripe.RateLimitError("m", http_status=429),
        stripe.APIError("m", http_status=500),
        stripe.APIError("not JSON", http_status=200),
        stripe.APIError("in use", http_status=409, code="idempotency_key_in_use"),
        stripe.RateLimitError("m", http_status=429, headers=REPLAYED),
    ],
)
def test_a_stripe_in_trouble_is_asked_again(error: stripe.StripeError) -> None:
    outcome, meant = judged(error)
    assert outcome == "away"
    assert isinstance(meant, Unavailable)


@pytest.mark.parametrize(
    "error", [stripe.AuthenticationError("m", http_status=401), stripe.PermissionError("m", http_status=403)]
)
def test_a_key_of_ours_that_is_refused(error: stripe.StripeError) -> None:
    outcome, meant = judged(error)
    assert outcome == "unauthorized"
    assert isinstance(meant, Refusal)
    assert meant.error.code == "payments_disabled"


@pytest.mark.parametrize(
    ("error", "remembered", "conflicting", "unclear"),
    [
        (stripe.APIError("m", http_status=500, headers=REPLAYED), True, False, True),
        (stripe.CardError("m", None, "c", http_status=402, headers=REPLAYED), True, False, False),
        (stripe.IdempotencyError("m", http_status=400), False, True, False),
        (stripe.InvalidRequestError("m", "customer", "resource_missing", http_status=400), False, False, False),
    ],
)
def test_what_stripe_remembers_needs_another_key(
    error: stripe.StripeError, remembered: bool, conflicting: bool, unclear: bool
) -> None:
    _, meant = judged(error)
    assert isinstance(meant, Refused)
    assert (meant.remembered, meant.conflicting, meant.unclear) == (remembered, conflicting, unclear)
    assert str(meant) != "m"
