"""A purchase that is paid: at Stripe by its buyer, and in the database as the ledger would have written it."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx

from ops.fakes.stripe.remote import Remote
from tests.integration.api.payments.shop import KEY


async def pay(owner: asyncpg.Connection, opened: dict[str, Any]) -> str:
    """Pays what ``POST /credits/purchases`` was answered with; returns the payment intent."""
    url = httpx.URL(opened["checkoutUrl"]).copy_with(path="/")
    session, stripe = opened["purchase"]["stripeCheckoutSessionId"], str(url).rstrip("/")
    async with Remote(stripe) as remote:
        assert await remote.pay(session) is None
    async with httpx.AsyncClient(base_url=stripe, auth=httpx.BasicAuth(KEY, "")) as http:
        intent: str = (await http.get(f"/v1/checkout/sessions/{session}")).json()["payment_intent"]
    await owner.execute(
        "UPDATE credits.purchases SET status = 'completed', paid = true, completed_at = now(),"
        " stripe_payment_intent_id = $2 WHERE id = $1::text::uuid",
        opened["purchase"]["id"],
        intent,
    )
    return intent
