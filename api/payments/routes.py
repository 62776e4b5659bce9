"""The route of buying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from fastapi import APIRouter, Response

from api.auth.guard import SignedIn
from api.credits.views import Purchase
from api.errors import refuse
from api.paths import BASE
from api.payments.bodies import IdempotencyKey, PurchaseBody
from api.payments.checkout import Checkout
from api.payments.documented import result
from api.payments.model import Begun
from api.payments.views import Opened
from api.problems_documented import answers
from api.throttle.limited import limited

_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True)
class PurchaseRoutes:
    """The route's handler; without Stripe nothing can be bought."""

    checkout: Checkout | None

    def router(self) -> APIRouter:
        """Below ``/credits``."""
        router = APIRouter(prefix=f"{BASE}/credits", tags=["credits"])
        codes = answers(
            "unauthorized", "invalid_request", "idempotency_conflict", "payload_too_large", "payments_disabled"
        )
        router.add_api_route(
            "/purchases",
            self.buy,
            methods=["POST"],
            status_code=201,
            dependencies=[limited("purchases")],
            responses=result(201, "Created, or begun before", Opened) | codes,
        )
        return router

    async def buy(self, claims: SignedIn, body: PurchaseBody, key: IdempotencyKey = None) -> Response:
        """Begins a purchase, and tells where it is paid; the credits come once Stripe tells of the payment.

        The same again within 25 minutes, or with the same `Idempotency-Key` however late, is the same purchase.
        """
        if self.checkout is None:
            raise refuse("payments_disabled", "nothing can be bought here")
        begun = await self.checkout.begin(claims.user_id, body.order(), key)
        opened = Opened(_purchase(begun), begun.checkout_url)
        headers = {"cache-control": "no-store"}
        return Response(_ENCODER.encode(opened), 201, media_type="application/json", headers=headers)


def _purchase(begun: Begun) -> Purchase:
    """As the list of purchases shows it."""
    return Purchase(
        id=str(begun.id),
        package_id=begun.package_id,
        credits=begun.credits,
        price_euro_cents=begun.price_euro_cents,
        amount=begun.amount,
        currency=begun.currency,
        status=begun.status,
        stripe_checkout_session_id=begun.stripe_checkout_session_id,
        stripe_payment_intent_id=begun.stripe_payment_intent_id,
        created_at=begun.created_at,
        completed_at=begun.completed_at,
        debt=begun.debt,
    )
