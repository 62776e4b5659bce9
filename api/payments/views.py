"""What the routes of buying answer with. Amounts are money, in the smallest unit of the currency."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from api.credits.views import Purchase
from contracts.payments import DisputeState, RefundState


class Opened(Struct, frozen=True, rename="camel"):
    """A purchase, and where it is paid; ``null`` where it is over, or began too long ago to be paid any more."""

    purchase: Purchase
    checkout_url: str | None


class KnownRefund(Struct, frozen=True, rename="camel"):
    """A refund of a purchase, as far as Stripe has told of it."""

    id: str
    amount: int
    state: RefundState


class KnownDispute(Struct, frozen=True, rename="camel"):
    """A dispute of a purchase, as far as Stripe has told of it."""

    id: str
    amount: int
    state: DisputeState


class WholePurchase(Struct, frozen=True, rename="camel"):
    """A purchase as administrators see it: with the facts of its payment, and what they did to its credits."""

    id: str
    user_id: str
    package_id: str
    credits: int
    price_euro_cents: int
    amount: int
    currency: str
    status: Literal["pending", "completed", "failed", "refunded", "disputed"]
    origin: Literal["checkout", "topup"]
    paid: bool
    stripe_checkout_session_id: str | None
    stripe_payment_intent_id: str | None
    refunds: list[KnownRefund]
    disputes: list[KnownDispute]
    taken: int
    debt: int
    written_off: int
    held: int
    created_at: datetime
    completed_at: datetime | None


class RefundView(Struct, frozen=True, rename="camel"):
    """A refund as it stands at Stripe."""

    id: str
    amount: int
    currency: str
    status: str | None


class RefundedPurchase(Struct, frozen=True, rename="camel"):
    """A refund that was asked for; the purchase shows it once Stripe has told of it."""

    refund: RefundView
    purchase: WholePurchase
