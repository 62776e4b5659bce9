"""Plain data of buying. Amounts are money, in the smallest unit of a currency."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]
"""Of a refund, in Stripe's words."""


@dataclass(frozen=True)
class Order:
    """What a user asks for; addresses that they leave to us are ``None``."""

    package_id: str
    currency: str
    success_url: str | None
    cancel_url: str | None
    save_payment_method: bool

    def hash_at(self, amount: int) -> bytes:
        """The same for the same order at the same price."""
        parts = (self.package_id, amount, self.currency, self.success_url, self.cancel_url, self.save_payment_method)
        return hashlib.sha256(msgspec.json.encode(parts)).digest()


@dataclass(frozen=True)
class Offer:
    """A package that can be bought, at its price in the currency asked for; ``None`` where it has none."""

    package_id: str
    name: str
    credits: int
    price_euro_cents: int
    amount: int | None
    stripe_price_id: str | None


@dataclass(frozen=True)
class Payer:
    """Who pays."""

    user_id: UUID
    email: str


@dataclass(frozen=True)
class Begun:
    """A purchase as far as its checkout goes; ``due`` while it waits for a session that can still be made."""

    id: UUID
    package_id: str
    credits: int
    price_euro_cents: int
    amount: int
    currency: str
    status: Literal["pending", "completed", "failed", "refunded", "disputed"]
    stripe_checkout_session_id: str | None
    stripe_payment_intent_id: str | None
    checkout_url: str | None
    checkout_attempt: int
    request_hash: bytes
    created_at: datetime
    completed_at: datetime | None
    debt: int
    fresh: bool

    @property
    def due(self) -> bool:
        """Later Stripe would not take the end of the session, which is counted from the purchase's beginning."""
        return self.fresh and self.status == "pending" and self.stripe_checkout_session_id is None
