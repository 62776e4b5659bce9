"""How top-up is switched on, with the payment method that its user saved last, and off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.auth.model import Client, EventType, SecurityEvent
from api.auth.tokens import Claims
from api.errors import Refusal, refuse, refuse_field
from api.payments.store import PurchaseStore
from api.payments.stripe_client import Refused, Stripe, in_time
from api.payments.topup.model import Topup, Wish
from api.payments.topup.store import TopupStore

_GONE: Final = "resource_missing"
_NOTHING_SAVED: Final = (
    "no payment method is saved: buy credits once with savePaymentMethod true in POST /credits/purchases, pay, and try"
    " again"
)


class Switching:
    """Without Stripe it can only be looked at and switched off."""

    def __init__(self, store: TopupStore, purchases: PurchaseStore, stripe: Stripe | None) -> None:
        self._store = store
        self._purchases = purchases
        self._stripe = stripe

    async def get(self, claims: Claims) -> Topup:
        """As it stands."""
        return await self._store.get(claims.user_id)

    async def switch_on(self, claims: Claims, wish: Wish, client: Client) -> Topup:
        """Sets it, also where a decline, a refund or a dispute has switched it off.

        Raises ``Refusal`` (``payments_disabled``; ``invalid_request`` for a package that cannot be bought, and where no
        payment method is saved; ``unauthorized``), and ``Unavailable``.
        """
        if self._stripe is None:
            raise refuse("payments_disabled", "nothing can be bought here")
        if not await self._store.is_offered(wish.package_id):
            raise _not_offered()
        method = await self._saved_method(self._stripe, claims)
        if method is None:
            raise refuse("invalid_request", _NOTHING_SAVED, {"errors": []})
        details = {"below": wish.below, "packageId": wish.package_id, "maxPerMonth": wish.max_per_month}
        event = _event("topup.enabled", claims, client, details)
        topup = await self._store.switch_on(claims.user_id, wish, method, event, live=self._stripe.live)
        if topup is None:
            raise _not_offered()
        return topup

    async def switch_off(self, claims: Claims, client: Client) -> Topup:
        """A payment that is under way goes on. Raises ``Refusal`` (``unauthorized``)."""
        return await self._store.switch_off(claims.user_id, _event("topup.disabled", claims, client))

    async def _saved_method(self, stripe: Stripe, claims: Claims) -> str | None:
        customer = await self._purchases.customer(claims.user_id, live=stripe.live)
        if customer is None:
            return None
        try:
            async with in_time():
                return await stripe.newest_payment_method(customer)
        except Refused as refusal:
            if refusal.code == _GONE:
                return None
            raise


def _event(kind: EventType, claims: Claims, client: Client, details: Mapping[str, Any] | None = None) -> SecurityEvent:
    return SecurityEvent(kind, client, claims.user_id, claims.session_id, details=details)


def _not_offered() -> Refusal:
    return refuse_field("packageId", "is no package that can be bought")
