"""Buying on the journey: what proves us to Stripe, and Stripe to us, is planted in the processes and in requests."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ops.fakes.stripe.remote import Remote
from ops.fakes.stripe.running import running
from tests.integration.api.stripe_events import signature
from tests.integration.canaries.journey import Person
from tests.integration.canaries.secret import Secret
from tests.integration.canaries.traveller import Traveller
from tests.integration.workers.running import until

_PACKAGE = {"packageId": "credits-500", "savePaymentMethod": True}
_TOP_UP = {"below": 1, "packageId": "credits-500", "maxPerMonth": 1}
_WEBHOOK = "/webhooks/stripe"


@dataclass
class Shop:
    """A stand-in for Stripe, the key that it knows, and the secrets that its webhooks are signed with."""

    url: str
    key: str
    webhook_secrets: tuple[str, str]
    seen: set[str] = field(default_factory=set[str])

    @property
    def settings(self) -> dict[str, str]:
        """The front's; the payments worker takes what is for it."""
        joined = ",".join(self.webhook_secrets)
        return {"STRIPE_SECRET_KEY": self.key, "STRIPE_WEBHOOK_SECRET": joined, "STRIPE_API_URL": self.url}

    @property
    def secrets(self) -> list[Secret]:
        """None of them is in any answer."""
        named = {"key of Stripe": self.key, "webhook's secret": self.webhook_secrets[0]}
        named |= {"webhook's secret of before": self.webhook_secrets[1]}
        return [Secret(name, text) for name, text in named.items()]

    async def buy(self, by: Traveller, person: Person) -> str:
        """A package is bought and paid; Stripe tells of it, and is believed by its signature alone. The purchase.

        The payment method that is kept is good for another one whenever credits run low.
        """
        opened = await by.done("POST", "/credits/purchases", _PACKAGE, token=person.access)
        async with Remote(self.url) as remote:
            assert await remote.pay(opened["purchase"]["stripeCheckoutSessionId"]) is None
            await self._tell(by)
            await remote.switch(answers_failed=9)
            await by.ask("POST", "/credits/purchases", {"packageId": "credits-1000"}, token=person.access)
            await remote.switch(answers_failed=0)

        async def credited() -> bool:
            listed = await by.done("GET", "/credits/purchases", token=person.access)
            return [one["status"] for one in listed if one["id"] == opened["purchase"]["id"]] == ["completed"]

        await until(credited, "the purchase is completed")
        for method, body in (("PUT", _TOP_UP), ("GET", None), ("DELETE", None)):
            await by.done(method, "/credits/topup", body, token=person.access)
        return str(opened["purchase"]["id"])

    async def give_back(self, by: Traveller, admin: Person, purchase: str) -> None:
        """An administrator, who is signed in, looks at it, and gives its money back."""
        which = {"purchaseId": purchase}
        one = "/admin/purchases/{purchaseId}"
        await by.done("GET", one, token=admin.access, where=which)
        await by.done("POST", f"{one}/refund", {}, token=admin.access, where=which)
        await self._tell(by)

    async def be_told_wrongly(self, by: Traveller) -> None:
        """By who is not Stripe, and by who sends a secret where its signature belongs."""
        body = b'{"id": "evt_canary", "type": "charge.refunded"}'
        forger = by.typed("secret of another endpoint", f"whsec_{secrets.token_hex(16)}")
        for secret in (*self.webhook_secrets, self.key):
            for signed in (secret, f"t=1,v1={secret}", signature(body, forger)):
                headers = {"stripe-signature": signed, "content-type": "application/json"}
                await by.ask("POST", _WEBHOOK, content=body, headers=headers, params={"secret": secret})

    async def _tell(self, by: Traveller) -> None:
        """Of all that Stripe has not told yet, as it signs while a secret is replaced."""
        async with httpx.AsyncClient(base_url=self.url, auth=(self.key, "")) as stripe:
            page = (await stripe.get("/v1/events", params={"limit": 100})).json()
        news: list[dict[str, Any]] = [event for event in page["data"] if event["id"] not in self.seen]
        assert news, "Stripe has something to tell"
        for event in reversed(news):
            self.seen.add(event["id"])
            body = json.dumps(event).encode()
            headers = {"stripe-signature": signature(body, self.webhook_secrets[1]), "content-type": "application/json"}
            assert (await by.ask("POST", _WEBHOOK, content=body, headers=headers)).status_code == 200


@asynccontextmanager
async def shop(folder: Path) -> AsyncGenerator[Shop]:
    """Runs until the block ends."""
    key = f"sk_test_{secrets.token_hex(24)}"
    async with running(folder / "stripe.log", "--key", key) as stand_in:
        yield Shop(stand_in.url, key, (f"whsec_{secrets.token_hex(24)}", f"whsec_{secrets.token_hex(24)}"))
