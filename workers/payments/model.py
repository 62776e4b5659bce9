"""Stripe's objects, as far as we need them; and what becomes of an event.

Stripe adds fields whenever it likes, so others are passed over. Amounts are money, in a currency's smallest unit.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, field

from contracts.commands import Buy, ClawBack, Thaw
from contracts.payments import Currency, Money

Sum = Annotated[int, Meta(ge=0, le=10**12)]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,160}$(?!\n)")]
"""Shorter than the contract's: with a key's beginning and a state it must fit an idempotency key."""
Metadata = dict[str, Any] | None


class CheckoutSession(Struct, frozen=True, kw_only=True):
    """``payment_intent`` is missing of those that were never to be paid."""

    id: Id
    payment_status: str
    payment_intent: Id | None = None
    amount_total: Sum | None = None
    currency: Currency | None = None
    metadata: Metadata = None


class _Reasons(Struct, frozen=True, kw_only=True):
    code: str | None = None
    decline_code: str | None = None


class PaymentIntent(Struct, frozen=True, kw_only=True):
    """A payment, tried once or often."""

    id: Id
    status: str
    currency: Currency
    amount_received: Sum = 0
    last_payment_error: _Reasons | None = None
    metadata: Metadata = None


class Refund(Struct, frozen=True, kw_only=True):
    """``payment_intent`` is missing where the payment was made without one: not by us."""

    id: Id
    amount: Money
    currency: Currency
    status: str | None
    payment_intent: Id | None = None


class Charge(Struct, frozen=True, kw_only=True):
    """Says that it was refunded, not by which refunds."""

    id: Id
    payment_intent: Id | None = None


class _Moved(Struct, frozen=True):
    amount: int


class _Card(Struct, frozen=True):
    case_type: str | None = None


class _Details(Struct, frozen=True):
    card: _Card | None = None


class Dispute(Struct, frozen=True, kw_only=True):
    """A payer's complaint at the bank."""

    id: Id
    amount: Money
    currency: Currency
    status: str
    payment_intent: Id | None = None
    balance_transactions: list[_Moved] | None = None
    payment_method_details: _Details | None = None

    @property
    def moved(self) -> list[int]:
        """What was withdrawn for it, negative, and what came back; in the currency of our balance at Stripe."""
        return [one.amount for one in self.balance_transactions or ()]

    @property
    def case_type(self) -> str | None:
        """What the card's network calls it; ``None`` where the payment was by no card."""
        details = self.payment_method_details
        return None if details is None or details.card is None else details.card.case_type


Object = CheckoutSession | PaymentIntent | Refund | Charge | Dispute

OBJECTS: Final[dict[str, type[Object]]] = {
    "checkout.session.completed": CheckoutSession,
    "checkout.session.async_payment_succeeded": CheckoutSession,
    "checkout.session.async_payment_failed": CheckoutSession,
    "checkout.session.expired": CheckoutSession,
    "payment_intent.succeeded": PaymentIntent,
    "payment_intent.payment_failed": PaymentIntent,
    "refund.created": Refund,
    "refund.updated": Refund,
    "refund.failed": Refund,
    "charge.refund.updated": Refund,
    "charge.refunded": Charge,
    "charge.dispute.created": Dispute,
    "charge.dispute.updated": Dispute,
    "charge.dispute.funds_withdrawn": Dispute,
    "charge.dispute.funds_reinstated": Dispute,
    "charge.dispute.closed": Dispute,
}
"""The types that mean something to the ledger, each with what it is about. All others are kept and counted."""


class Event(Struct, frozen=True, kw_only=True):
    """An event that was read. ``object`` is ``None`` where its type means nothing to us; ``account``: Connect's."""

    id: str
    type: str
    livemode: bool
    account: str | None = None
    object: Object | None = None


class Purchase(Struct, frozen=True, kw_only=True):
    """What our own database knows of one; a payment intent only once it is paid."""

    account_id: str
    id: str
    amount: int
    currency: str
    paid: bool
    payment_intent: str | None = None
    session: str | None = None


class Named(Struct, frozen=True):
    """The purchase that metadata name, and its user: canonical UUIDs."""

    user_id: str
    purchase_id: str


class Known(Struct, frozen=True):
    """Purchases by whatever leads to them."""

    by_payment: dict[str, Purchase] = field(default_factory=dict[str, Purchase])
    by_session: dict[str, Purchase] = field(default_factory=dict[str, Purchase])
    by_name: dict[Named, Purchase] = field(default_factory=dict[Named, Purchase])


class Asked(Struct, frozen=True):
    """What Stripe has answered for one event, by the id asked for; ``None``: it knows no such thing."""

    payments: dict[str, PaymentIntent | None] = field(default_factory=dict[str, PaymentIntent | None])
    refunds: dict[str, list[Refund]] = field(default_factory=dict[str, list[Refund]])
    disputes: dict[str, Dispute | None] = field(default_factory=dict[str, Dispute | None])


PaymentCommand = Buy | ClawBack | Thaw


class Commands(Struct, frozen=True):
    """What the ledger is to be told, in this order; all of one user."""

    account_id: str
    commands: tuple[PaymentCommand, ...]


class Ignored(Struct, frozen=True):
    """Nothing for the ledger."""

    reason: str


class Refused(Struct, frozen=True):
    """Somebody has to look: it is not what it should be, and nothing comes of it."""

    reason: str


class Ask(Struct, frozen=True):
    """Stripe has to be asked first: for a payment intent, a dispute, or the refunds of a payment intent."""

    kind: Literal["payment", "refunds", "dispute"]
    id: str


Translation = Commands | Ignored | Refused | Ask
