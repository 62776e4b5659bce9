"""What administrators look at and ask for: a purchase as a whole, and money given back. The credits go when Stripe
tells of it."""

from __future__ import annotations

from collections.abc import Sequence
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
from contracts.stripe import PURCHASE_ID, USER_ID

_KEYS_MAX: Final = 10
"""Refunds of one amount in a day that came to nothing, before somebody has to name a key."""
_CAME_TO_NOTHING: Final = frozenset({"failed", "canceled"})

_log = structlog.get_logger(__name__)


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
        params = _params(purchase, purchase.stripe_payment_intent_id, amount, reason)
        async with in_time():
            return await _asked(self._stripe, params, _keys(purchase, amount, client_key)), purchase


async def _find(connection: Connection, purchase_id: UUID) -> WholePurchase:
    purchase = await find_purchase(connection, purchase_id)
    if purchase is None:
        raise refuse("not_found", "there is no such purchase")
    return purchase


def _params(purchase: WholePurchase, intent: str, amount: int | None, reason: Reason | None) -> RefundCreateParams:
    """Stripe knows what is left, and judges."""
    params: RefundCreateParams = {
        "payment_intent": intent,
        "metadata": {PURCHASE_ID: purchase.id, USER_ID: purchase.user_id},
    }
    if amount is not None:
        params["amount"] = amount
    if reason is not None:
        params["reason"] = reason
    return params


def _keys(purchase: WholePurchase, amount: int | None, client_key: str | None) -> Sequence[str]:
    """Stripe's idempotency keys: each but the first for when nothing was given back under the one before it.

    Under a client's own key there is but one answer.
    """
    first = f"mana:refund:{purchase.id}:{client_key or ('full' if amount is None else amount)}"
    more = range(2, _KEYS_MAX + 1) if client_key is None else ()
    return (first, *(f"{first}:{number}" for number in more))


async def _asked(stripe: Stripe, params: RefundCreateParams, keys: Sequence[str]) -> Refund:
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
        return refuse("idempotency_conflict", "under this key another refund was asked for, or for another reason")
    if refusal.code == "charge_already_refunded":
        return refuse_field("purchaseId", "is of a purchase of which nothing is left to give back")
    if refusal.code == "charge_disputed":
        return refuse_field("purchaseId", "is of a purchase whose payment is disputed: it is given back by the bank")
    if refusal.param == "amount":
        return refuse_field("amount", "is more than is left to give back")
    _log.error("Stripe refuses a refund", key=key, code=refusal.code, param=refusal.param)
    return refuse("internal", "nothing was given back; the request's id finds the reason in our logs")
