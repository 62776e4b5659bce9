"""Who a user is at Stripe: made once, and kept."""

from __future__ import annotations

import hashlib

from api.payments.model import Payer
from api.payments.store import PurchaseStore
from api.payments.stripe_client import Stripe
from contracts.stripe import USER_ID


class Customers:
    """Finds and makes customers."""

    def __init__(self, store: PurchaseStore, stripe: Stripe) -> None:
        self._store = store
        self._stripe = stripe

    async def of(self, payer: Payer) -> str:
        """The customer's id. Raises as the store and ``Stripe`` do."""
        known = await self._store.customer(payer.user_id, live=self._stripe.live)
        return known or await self.anew(payer)

    async def anew(self, payer: Payer, instead_of: str | None = None) -> str:
        """A new one, also in place of one that Stripe does not know any more. Raises as ``of`` does."""
        key = _key(payer, instead_of, live=self._stripe.live)
        made = await self._stripe.create_customer(
            {"email": payer.email, "metadata": {USER_ID: str(payer.user_id)}}, key
        )
        await self._store.keep_customer(payer.user_id, made, live=self._stripe.live)
        return made


def _key(payer: Payer, instead_of: str | None, *, live: bool) -> str:
    """Of the request, which the user's address is a part of: it may have changed since an answer was lost."""
    parts = f"{payer.email}\n{instead_of or ''}"
    digest = hashlib.sha256(parts.encode()).hexdigest()[:16]
    return f"mana:customer:{payer.user_id}:{'live' if live else 'test'}:{digest}"
