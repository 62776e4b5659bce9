"""The routes of buying, and the client of Stripe that they share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog
from fastapi import APIRouter
from prometheus_client import CollectorRegistry

from api.payments import pages
from api.payments.checkout import Checkout
from api.payments.refund_routes import RefundRoutes
from api.payments.refunding import Refunds
from api.payments.routes import PurchaseRoutes
from api.payments.store import PurchaseStore
from api.payments.stripe_client import Stripe, StripeMetrics
from api.payments.topup.routes import TopupRoutes
from api.payments.topup.store import TopupStore
from api.payments.topup.switching import Switching
from api.settings import Settings
from api.wiring.parts import Parts

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def stripe(settings: Settings, registry: CollectorRegistry) -> AsyncGenerator[Stripe | None]:
    """As long as the front runs; ``None`` without a key."""
    metrics = StripeMetrics(registry)
    if settings.stripe_secret_key is None:
        _log.warning("nothing can be bought: STRIPE_SECRET_KEY is not set")
        yield None
        return
    key = settings.stripe_secret_key.get_secret_value()
    async with Stripe.connected(key, settings.stripe_api_url, metrics) as connected:
        yield connected


def router(parts: Parts) -> APIRouter:
    """Below ``/credits`` and ``/admin``, and at the root the pages that payers come back to."""
    refunds = Refunds(parts.database, parts.stripe)
    rooms = (
        PurchaseRoutes(_checkout(parts)).router(),
        RefundRoutes(refunds).router(),
        _topup(parts).router(),
        pages.router(),
    )
    return APIRouter(routes=[route for room in rooms for route in room.routes])


def _topup(parts: Parts) -> TopupRoutes:
    purchases = PurchaseStore(parts.database)
    return TopupRoutes(Switching(TopupStore(parts.database), purchases, parts.stripe))


def _checkout(parts: Parts) -> Checkout | None:
    if parts.stripe is None:
        return None
    return Checkout(PurchaseStore(parts.database), parts.stripe, parts.settings.public_url)
