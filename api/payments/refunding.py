"""What administrators look at and ask for: a purchase as a whole, and money given back. The credits go when Stripe
tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from stripe.params import RefundCreateParams

from api.auth.admin.model import Administrator
from api.auth.admin.store import add_act, as_administrator
from api.auth.sessions import not_signed_in_any_more
from api.auth.store import is_session_live
from api.database import Connection, Database
from api.errors import Refusal, refuse, refuse_field
from api.payments.anybodys import find_purchase
from api.payments.model import Reason
from api.payments.stripe_client import Refund, Refused, Stripe, in_time
from api.payments.views import WholePurchase
from contracts.stripe import PURCHASE_ID, REFUND_ASKED, REFUND_KEY, USER_ID

_KEYS_MAX: Final = 10
"""Refunds of one amount in a day that came to nothing, before somebody has to name a key."""
_CAME_TO_NOTHING: Final = frozenset({"failed", "canceled"})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Wish:
    """What is asked for; ``amount`` is ``None`` for all that is left, which Stripe knows, and judges."""

    purchase: WholePurchase
    intent: str
    amount: int | None
    reason: Reason | None
    client_key: str | None

    @property
    def asked(self) -> str:
        return "full" if self.amount is None else str(self.amount)

    @property
    def key(self) -> str:
        """The same for what is the same request; no key of a client's is one of ours."""
        return f"a:{self.asked}" if self.client_key is None else f"c:{self.client_key}"

    def params(self) -> RefundCreateParams:
        params: RefundCreateParams = {
            "payment_intent": self.intent,
            "metadata": {
                PURCHASE_ID: self.purchase.id,
                USER_ID: self.purchase.user_id,
                REFUND_KEY: self.key,
                REFUND_ASKED: self.asked,
            },
        }
        if self.amount is not None:
            params["amount"] = self.amount
        if self.reason is not None:
            params["reason"] = self.reason
        return params

    def idempotency_keys(self) -> Sequence[str]:
        """Stripe's: each but the first for when nothing was given back under the one before it.

        Under a client's own key there is but one answer.
        """
        first = f"mana:refund:{self.purchase.id}:{self.key}"
        more = range(2, _KEYS_MAX + 1) if self.client_key is None else ()
        return (first, *(f"{first}:{number}" for number in more))


class Refunds:
    """Each raises ``Refusal`` (``unauthorized``, ``forbidden``, ``not_found``), and ``Unavailable``."""

    def __init__(self, database: Database, stripe: Stripe | None) -> None:
        self._database = database
        self._stripe = stripe

    async def look(self, by: Administrator, purchase_id: UUID) -> WholePurchase:
        """One purchase, whoever's."""
        async with as_administrator(self._database, by.user_id) as connection:
            purchase = await _find(connection, purchase_id)
            details = {"what": "purchase", "purchase": purchase.id}
            await add_act(connection, by, "admin.viewed", UUID(purchase.user_id), details=details)
        return purchase

    async def refund(
        self, by: Administrator, purchase_id: UUID, amount: int | None, reason: Reason | None, client_key: str | None
    ) -> tuple[Refund, WholePurchase]:
        """Gives so much back, or all that is left; with the same key, or of the same amount without one, once.

        Raises ``Refusal`` also with ``payments_disabled``; ``invalid_request`` where nothing was paid, or not so much
        is left; ``idempotency_conflict``; ``internal`` where Stripe refuses otherwise.
        """
        if self._stripe is None:
            raise refuse("payments_disabled", "nothing can be given back here")
        async with as_administrator(self._database, by.user_id) as connection:
            purchase = await _find(connection, purchase_id)
            if not await is_session_live(connection, by.session_id, by.user_id):
                raise not_signed_in_any_more()
            if purchase.stripe_payment_intent_id is None or not purchase.paid:
                raise refuse_field("purchaseId", "is of a purchase that is not paid")
            # Before Stripe is asked: what came of it, Stripe's events tell.
            details = {"purchase": purchase.id, "amount": "all" if amount is None else str(amount)}
            await add_act(connection, by, "admin.refund_asked", UUID(purchase.user_id), details=details)
        wish = _Wish(purchase, purchase.stripe_payment_intent_id, amount, reason, client_key)
        async with in_time():
            return await _given_before(self._stripe, wish) or await _given(self._stripe, wish), purchase


async def _find(connection: Connection, purchase_id: UUID) -> WholePurchase:
    purchase = await find_purchase(connection, purchase_id)
    if purchase is None:
        raise refuse("not_found", "there is no such purchase")
    return purchase


async def _given_before(stripe: Stripe, wish: _Wish) -> Refund | None:
    """The refund of the same request, however long ago: Stripe forgets idempotency keys after a day."""
    try:
        refunds = await stripe.refunds(wish.intent)
    except Refused as refusal:
        raise _answer(refusal, wish.key) from refusal
    for refund in refunds:
        if refund.metadata.get(REFUND_KEY) != wish.key:
            continue
        if wish.client_key is None and refund.status in _CAME_TO_NOTHING:
            continue
        if (refund.metadata.get(REFUND_ASKED), refund.reason) != (wish.asked, wish.reason):
            raise _conflict()
        return refund
    return None


async def _given(stripe: Stripe, wish: _Wish) -> Refund:
    params, keys = wish.params(), wish.idempotency_keys()
    for key in keys[:-1]:
        try:
            refund = await stripe.create_refund(params, key)
        except Refused as refusal:
            if not refusal.remembered or refusal.unclear:
                raise _answer(refusal, key) from refusal
        else:
            if not refund.replayed or refund.status not in _CAME_TO_NOTHING:
                return refund
    try:
        return await stripe.create_refund(params, keys[-1])
    except Refused as refusal:
        raise _answer(refusal, keys[-1]) from refusal


def _answer(refusal: Refused, key: str) -> Refusal:
    if refusal.conflicting:
        return _conflict()
    if refusal.code == "charge_already_refunded":
        return refuse_field("purchaseId", "is of a purchase of which nothing is left to give back")
    if refusal.code == "charge_disputed":
        return refuse_field("purchaseId", "is of a purchase whose payment is disputed: it is given back by the bank")
    if refusal.param == "amount":
        return refuse_field("amount", "is more than is left to give back")
    _log.error("Stripe refuses a refund", key=key, code=refusal.code, param=refusal.param)
    return refuse("internal", "nothing was given back; the request's id finds the reason in our logs")


def _conflict() -> Refusal:
    return refuse("idempotency_conflict", "under this key another refund was asked for, or for another reason")
