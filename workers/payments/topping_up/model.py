"""Plain data of a top-up's payment, and what Stripe may answer. Amounts are in the smallest unit of the currency."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from workers.payments.model import PaymentIntent

State = Literal["asking", "waiting", "stuck", "failed", "over"]


class Charge(Struct, frozen=True, kw_only=True):
    """What Stripe is asked for: the same words for one purchase whenever it is asked, ``tries`` counting this time.

    ``age`` is counted from before the first time.
    """

    purchase_id: str
    account_id: str
    customer: str
    payment_method: str
    amount: int
    currency: str
    tries: int
    age: timedelta


class Refused(Struct, frozen=True, kw_only=True):
    """An answer that is no payment. ``status`` is that of HTTP; ``kind``, ``code`` and the others are Stripe's words;
    without a kind the answer was not Stripe's, or not whole. ``intent`` is the payment that was tried, where there is
    one."""

    status: int
    kind: str | None = None
    code: str | None = None
    decline_code: str | None = None
    param: str | None = None
    intent: str | None = None


class NoAnswer(Struct, frozen=True):
    """Nobody knows what has become of the request."""

    reason: str


Answer = PaymentIntent | Refused | NoAnswer


class Unexplained(Struct, frozen=True):
    """A payment that failed after Stripe had taken it on, as an event has told by now."""

    purchase_id: str
    intent: str | None


class Failure(Struct, frozen=True, kw_only=True):
    """A failed payment that is to be told. ``told``: the event is out; ``pending``: the ledger does not know of it."""

    purchase_id: str
    account_id: str
    package_id: str
    intent: str | None
    reason: str
    failed_at: datetime
    told: bool
    pending: bool
    tries: int


class Stop(Struct, frozen=True, kw_only=True):
    """A top-up that was switched off because the money of a purchase went back, or may; it is to be told."""

    id: str
    account_id: str
    purchase_id: str
    package_id: str
    reason: str
    stopped_at: datetime
    tries: int
