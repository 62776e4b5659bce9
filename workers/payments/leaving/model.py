"""Plain data of what is left behind."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct


class Abandoned(Struct, frozen=True):
    """A purchase that has been pending for longer than it can be by itself; ``age`` is counted from its beginning."""

    account_id: str
    id: str
    session: str | None
    age: timedelta


class LatePayment(Struct, frozen=True):
    """A purchase that was paid after its user was deleted."""

    purchase_id: str
    payment_intent: str


class Checkout(Struct, frozen=True):
    """A Checkout session as it stands: ``open``, ``complete`` or ``expired``; and whether it is paid."""

    status: str | None
    payment_status: str
