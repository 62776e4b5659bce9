"""The routes of administrators on purchases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Response

from api.auth.admin.routes import By
from api.paths import BASE
from api.payments.bodies import IdempotencyKey, RefundBody
from api.payments.documented import result
from api.payments.refunding import Refunds
from api.payments.views import RefundedPurchase, RefundView, WholePurchase
from api.problems_documented import answers
from api.throttle.limited import limited

_ENCODER: Final = msgspec.json.Encoder()

PurchaseId = Annotated[UUID, Path(alias="purchaseId")]


@dataclass(frozen=True)
class RefundRoutes:
    """The routes' handlers, over the service."""

    refunds: Refunds

    def router(self) -> APIRouter:
        """Below ``/admin/purchases``."""
        router = APIRouter(prefix=f"{BASE}/admin/purchases", tags=["admin"], dependencies=[limited("admin")])
        router.add_api_route(
            "/{purchaseId}",
            self.get_purchase,
            methods=["GET"],
            responses=result(200, "OK", WholePurchase)
            | answers("unauthorized", "forbidden", "invalid_request", "not_found"),
        )
        router.add_api_route(
            "/{purchaseId}/refund",
            self.refund_purchase,
            methods=["POST"],
            responses=result(200, "Asked for, or before", RefundedPurchase)
            | answers(
                *("unauthorized", "forbidden", "invalid_request", "not_found", "idempotency_conflict"),
                *("payload_too_large", "payments_disabled"),
            ),
        )
        return router

    async def get_purchase(self, by: By, purchase_id: PurchaseId) -> Response:
        """One purchase, whoever's, with what is known of its payment."""
        return _json(await self.refunds.look(by, purchase_id))

    async def refund_purchase(
        self, by: By, purchase_id: PurchaseId, body: RefundBody, key: IdempotencyKey = None
    ) -> Response:
        """Gives a purchase's money back at Stripe; the credits go once Stripe tells of it.

        With the same `Idempotency-Key`, or of the same amount without one, it is the same refund, however late: two
        refunds of the same amount need two keys.
        """
        refund, purchase = await self.refunds.refund(by, purchase_id, body.amount, body.reason, key)
        view = RefundView(refund.id, refund.amount, refund.currency, refund.status)
        return _json(RefundedPurchase(view, purchase))


def _json(value: WholePurchase | RefundedPurchase) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(_ENCODER.encode(value), media_type="application/json", headers=headers)
