"""Users who were deleted: Stripe forgets them too, and nobody takes their money in silence."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from workers.payments import pauses
from workers.payments.asking import DeniedError, Stripe, StripeAwayError
from workers.payments.leaving.meters import LeavingMeters
from workers.payments.leaving.store import LeavingStore

_log = structlog.get_logger(__name__)

_CUSTOMERS_AT_ONCE: Final = 16
_BODIES_AT_ONCE: Final = 500


class Forgetting:
    """``live``: whether our key moves real money; without a key Stripe is asked for nothing, and customers wait."""

    def __init__(self, store: LeavingStore, stripe: Stripe, meters: LeavingMeters, live: bool | None) -> None:
        self._store = store
        self._stripe = stripe
        self._meters = meters
        self._live = live

    async def round(self) -> None:
        """All of it once."""
        self._meters.count("body", await self._store.forget_bodies(_BODIES_AT_ONCE))
        for payment in await self._store.find_late_payments():
            self._meters.alarm(
                "its user was deleted before it was paid: refund it at Stripe",
                purchase_id=payment.purchase_id,
                payment_intent=payment.payment_intent,
            )
        if self._live is not None:
            customers = await self._store.claim_customers(live=self._live, most=_CUSTOMERS_AT_ONCE)
            await asyncio.gather(*map(self._delete, customers))
        left = await self._store.measure()
        self._meters.customers.set(left.customers)
        self._meters.late_payments.set(left.late_payments)

    async def _delete(self, customer: str) -> None:
        """Checkouts first: who deletes a customer does not end them."""
        try:
            async with asyncio.timeout(pauses.ASKING.total_seconds()):
                await self._stripe.expire_checkouts(customer)
                await self._stripe.delete_customer(customer)
        except (StripeAwayError, TimeoutError) as error:
            _log.warning("a customer is not deleted at Stripe yet", customer=customer, reason=str(error))
        except DeniedError as error:
            self._meters.alarm(f"Stripe does not delete it: {error}", customer=customer)
        else:
            await self._store.forget_customer(customer)
            self._meters.count("customer")
