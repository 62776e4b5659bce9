"""The route of Stripe's webhook, and what is said at the start of buying."""

from __future__ import annotations

from fastapi import APIRouter

from api.settings import Settings
from api.webhooks.metrics import WebhookMetrics
from api.webhooks.refusals import Refusals
from api.webhooks.routes import WebhookRoutes
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/webhooks``."""
    return WebhookRoutes(
        secrets=[secret.get_secret_value() for secret in parts.settings.stripe_webhook_secret],
        clock=parts.clock,
        put=parts.broker.put,
        refusals=Refusals(parts.database, parts.clock),
        metrics=WebhookMetrics(parts.registry),
    ).router()


def buying(settings: Settings) -> str:
    """Whether something can be bought, and whether we hear of it, in a line."""
    bought = "buying is on" if settings.stripe_secret_key else "buying is off: STRIPE_SECRET_KEY is not set"
    if settings.stripe_webhook_secret:
        return bought
    return f"{bought}; nothing that Stripe tells is heard: STRIPE_WEBHOOK_SECRET is not set"
