"""What the credits routes answer with, beside the structures of the contract."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

from contracts.errors import Error
from contracts.fields import Amount, AppId, Description, IdempotencyKey, Moment, Reason, SignedAmount, Uuid
from contracts.replies import Balance, Transaction

GroupBy: TypeAlias = Literal["app", "day", "hour", "model"]


class BalanceView(Struct, frozen=True, rename="camel"):
    """A balance with what is due today already in it, and the daily free credits as configured.

    ``debt`` is owed: bought credits that were used before their money went back. The next purchase pays it first.
    """

    balance: int
    free_credits_remaining: int
    total_earned: int
    total_spent: int
    daily_free_credits: int
    debt: int


class Alert(Struct, frozen=True, rename="camel"):
    """Below how many credits the event `credits.low` is sent; `null`: never."""

    below: int | None


class UsageSums(Struct, frozen=True, rename="camel"):
    """Usages and the credits that they took, refunds and the credits that they gave back, each when it happened."""

    uses: int
    credits: int
    refunds: int
    refunded: int


class UsageGroup(Struct, frozen=True, rename="camel"):
    """What one group comes to. Of ``app``, ``day`` (a date), ``hour`` (its beginning) and ``model`` it has the one that
    was asked for; all times are UTC. A model is ``metadata.model`` of the usage, empty where that is no text of at most
    100 characters."""

    uses: int
    credits: int
    refunds: int
    refunded: int
    app: str | UnsetType = UNSET
    day: str | UnsetType = UNSET
    hour: str | UnsetType = UNSET
    model: str | UnsetType = UNSET


class UsageView(Struct, frozen=True, rename="camel"):
    """Statistics of use from ``from`` (included) to ``to`` (excluded), by groups that have something, in order. Of more
    than 1,000 groups those that took most; ``total`` is of all. What was used before ``upTo`` is counted."""

    since: datetime = field(name="from")
    to: datetime
    group_by: GroupBy
    groups: list[UsageGroup]
    total: UsageSums
    up_to: datetime


class UseRequest(Struct, frozen=True, rename="camel"):
    """Body of ``POST /credits/use``, as it is documented; what judges it is the command's own decoder.

    ``userId`` is for services, of which it is required.
    """

    amount: Amount
    app_id: AppId
    description: Description
    idempotency_key: IdempotencyKey | None = None
    metadata: dict[str, Any] | None = None
    user_id: Uuid | UnsetType = UNSET


class RefundRequest(Struct, frozen=True, rename="camel"):
    """Body of ``POST /credits/refund``, as it is documented; without ``amount`` all that is left is given back."""

    user_id: Uuid
    transaction_id: Uuid
    amount: Amount | None = None
    description: Description | None = None
    idempotency_key: IdempotencyKey | None = None
    metadata: dict[str, Any] | None = None


class GrantRequest(Struct, frozen=True, rename="camel"):
    """Body of ``POST /credits/grant``, as it is documented; without ``expiresAt`` the credits do not expire."""

    user_id: Uuid
    amount: Amount
    description: Description
    source: Literal["promotion", "bonus"]
    expires_at: Moment | None = None
    idempotency_key: IdempotencyKey | None = None
    metadata: dict[str, Any] | None = None


class AdjustRequest(Struct, frozen=True, rename="camel"):
    """Body of ``POST /credits/adjust``, as it is documented; ``reason`` is for those who look later."""

    user_id: Uuid
    amount: SignedAmount
    description: Description
    reason: Reason
    idempotency_key: IdempotencyKey | None = None
    metadata: dict[str, Any] | None = None


class UseResult(Struct, frozen=True, rename="camel"):
    """The ledger's reply to a command."""

    transaction: Transaction
    balance: Balance
    replayed: bool


class Pending(Struct, frozen=True, rename="camel"):
    """The command was sent and its outcome is not known yet: ask at ``location``, or repeat with the same key."""

    idempotency_key: str
    location: str
    status: Literal["pending"] = "pending"


class Completed(Struct, frozen=True, rename="camel", tag_field="status", tag="completed"):
    """What an operation did; ``transaction`` is ``null`` where it made none."""

    transaction: Transaction | None
    balance: Balance


class RefusedOperation(Struct, frozen=True, rename="camel", tag_field="status", tag="refused"):
    """Why an operation was refused."""

    error: Error


class Purchase(Struct, frozen=True, rename="camel"):
    """Credits bought, or on the way to be; ``amount`` is what is paid, in the smallest unit of ``currency``, and
    ``debt`` what is still owed of the credits."""

    id: str
    package_id: str
    credits: int
    price_euro_cents: int
    amount: int
    currency: str
    status: Literal["pending", "completed", "failed", "refunded", "disputed"]
    stripe_checkout_session_id: str | None
    stripe_payment_intent_id: str | None
    created_at: datetime
    completed_at: datetime | None
    debt: int


class Price(Struct, frozen=True, rename="camel"):
    """What a package costs in another currency than euro; ``amount`` is in the smallest unit of ``currency``."""

    currency: str
    amount: int
    stripe_price_id: str | None


class Package(Struct, frozen=True, rename="camel"):
    """Credits that can be bought, while ``active``; ``otherPrices`` are in the order of their currencies."""

    id: str
    name: str
    description: str
    credits: int
    price_euro_cents: int
    stripe_price_id: str | None
    sort_order: int
    active: bool
    other_prices: tuple[Price, ...]
