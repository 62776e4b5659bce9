"""Both sides of a payment as plain data, and what differs. Money is in a currency's smallest unit."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

from contracts.payments import DisputeState, RefundState
from workers.payments.model import Named

Kind = Literal["payment", "refund", "dispute"]


class Known(NamedTuple):
    """What the purchase's row says of a refund or a dispute."""

    cents: int
    state: RefundState | DisputeState


class Told(Struct, frozen=True):
    """What Stripe says of a refund or a dispute; ``state`` is ``None`` for a status that we have no word for."""

    cents: int
    state: RefundState | DisputeState | None
    status: str
    created: int


class There(Struct, frozen=True, kw_only=True):
    """A payment at Stripe. ``cents`` were received; ``created`` in seconds since 1970, Stripe's clock.

    ``claims``: whether its metadata speak of a purchase of ours; ``named``: which, where they are written as ours are.
    """

    id: str
    status: str
    cents: int
    currency: str
    created: int
    claims: bool
    named: Named | None
    refunds: dict[str, Told]
    disputes: dict[str, Told]


class Here(Struct, frozen=True, kw_only=True):
    """A purchase of ours."""

    account_id: str
    id: str
    cents: int
    currency: str
    paid: bool
    payment: str | None
    refunds: dict[str, Known]
    disputes: dict[str, Known]


class Mend(Struct, frozen=True):
    """What would mend a difference: an event about this object, which is in this state at Stripe."""

    kind: Kind
    id: str
    state: str

    @property
    def event_id(self) -> str:
        """Always the same for this object in this state, so that it is fed once."""
        return f"mana_{self.id}_{self.state}"

    @property
    def event_type(self) -> str:
        """The type of Stripe's own events that it stands for."""
        types = {
            "payment": "payment_intent.succeeded",
            "refund": "refund.updated",
            "dispute": "charge.dispute.updated",
        }
        return types[self.kind]


class Difference(Struct, frozen=True, kw_only=True):
    """``young``: it may be that Stripe's event is still on its way. Without ``mend`` somebody has to look."""

    payment: str
    purchase: str | None
    what: str
    mend: Mend | None = None
    young: bool = False
