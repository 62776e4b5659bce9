"""What seldom happens to an instance, once each: what dashboards show as 0 while it does not."""

from __future__ import annotations

import asyncio
import json
from typing import Final

import httpx

from ops import stand_in, state
from ops.instance import Instance
from tests.e2e.client import Client

LIMITS: Final = {"RATE_LIMIT_LINK": "1/15m", "REDIS_WAIT_MS": "5000", "APP_COMMANDS_PER_SECOND": "8"}
"""Settings of an instance where a limit is soon met: by who tries links, counted in Redis alone, also where that
takes a while; and by who sends and proves no login."""
_MANY: Final = 64


def bring_about(instance: Instance) -> None:
    """A command that comes again, one that is refused, and too many; requests beyond a limit; a payment given back."""
    asyncio.run(_bring_about(instance))


async def _bring_about(instance: Instance) -> None:
    async with Client.connected(instance.env["MANA_AMQP_URL"]) as client:
        user = await client.open_user()
        first, again = [await client.use(user, idempotencyKey="once") for _ in range(2)]
        assert (first["replayed"], again["replayed"]) == (False, True)
        assert (await client.use(user, 10**6))["error"]["code"] == "insufficient_credits"
        question = json.dumps({"userId": user}).encode()
        for _ in range(_MANY):
            await client.publish(question, user, type="credits.balance", user_id=None)
    await _follow_links(instance.env["MANA_API_URL"])
    await _give_back(instance)


async def _follow_links(url: str) -> None:
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=40, trust_env=False) as http:
        tries = [await http.post("/auth/email/verify", json={"token": "no such link"}) for _ in range(2)]
    assert tries[1].status_code == 429, tries[1].text


async def _give_back(instance: Instance) -> None:
    """A payment, by Stripe itself, as its dashboard does; the ledger asks Stripe how much that was."""
    held, url = state.load(instance.place.state), stand_in.url_of(instance.status)
    assert held is not None
    key = {"Authorization": f"Bearer {held.secrets.stripe_key}"}
    async with httpx.AsyncClient(base_url=f"{url}/v1", headers=key, timeout=40, trust_env=False) as stripe:
        paid = (await stripe.get("/payment_intents", params={"limit": 1})).json()["data"]
        (await stripe.post("/refunds", data={"payment_intent": paid[0]["id"]})).raise_for_status()
