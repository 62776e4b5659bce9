"""What became of a payment, as the ledger is told it: facts that only grow (docs/decisions, "A payment is facts").

Amounts here are money, in the smallest unit of the purchase's currency. Ids are Stripe's own.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

DISPUTE_KEY: Final = "stripe:dispute:"
OPEN: Final = ":open"

# Python's "$" also matches before a newline at the end, JSON Schema's does not: the look-ahead makes them agree.
_END: Final = r"$(?!\n)"
_MONEY_MAX: Final = 10**12

Money = Annotated[int, Meta(ge=1, le=_MONEY_MAX, description="in the smallest unit of the currency")]
Currency = Annotated[str, Meta(pattern="^[a-z]{3}" + _END, description="ISO 4217, in lower case")]
StripeId = Annotated[str, Meta(pattern="^[A-Za-z0-9_]{1,255}" + _END)]


class _Fact(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    pass


class Payment(_Fact, frozen=True, kw_only=True):
    """The money has come in."""

    amount: Money
    currency: Currency
    payment_intent_id: StripeId
    checkout_session_id: StripeId | None = None


class Refunded(_Fact, frozen=True, kw_only=True):
    """So much is on its way back to the payer, or has gone."""

    id: StripeId
    amount: Money
    state: Literal["pending", "succeeded"]


class RefundFailed(_Fact, frozen=True, kw_only=True):
    """A refund that did not reach the payer, or was called off: the money is ours still."""

    id: StripeId
    amount: Money
    state: Literal["failed"]


class Disputed(_Fact, frozen=True, kw_only=True):
    """The payer asks the bank for so much, or has got it."""

    id: StripeId
    amount: Money
    state: Literal["open", "lost"]


class DisputeWon(_Fact, frozen=True, kw_only=True):
    """A dispute that ended in our favour, or was only a question."""

    id: StripeId
    amount: Money
    state: Literal["won"]


RefundState = Literal["pending", "succeeded", "failed"]
DisputeState = Literal["open", "lost", "won"]
RefundFact = Refunded | RefundFailed
DisputeFact = Disputed | DisputeWon
