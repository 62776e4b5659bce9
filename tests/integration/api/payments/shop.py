"""Buying, as a client of the front does it, and what Stripe and the database know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import httpx

from ops.fakes.stripe.remote import Remote
from tests.integration.api.process import Process
from tests.integration.api.users import BASE, SignedIn

KEY: Final = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
AT_FIRST: Final = {"answers_failed": 0, "answers_lost": 0, "answer_delay_seconds": 0}
PURCHASES: Final = f"{BASE}/credits/purchases"
PACKAGE: Final = "credits-2500"
PRICE: Final = 2400


@dataclass(frozen=True)
class Shop:
    """The front that sells, the switches of the stand-in and its API, and the database as its owner sees it."""

    process: Process
    http: httpx.AsyncClient
    remote: Remote
    stripe: httpx.AsyncClient
    owner: asyncpg.Connection

    async def offer(self, package: str, price: str | None = None) -> None:
        """A package of 500 credits for 5 euro, until the test's end."""
        await self.owner.execute(
            "INSERT INTO credits.packages"
            " (id, name, description, credits, price_euro_cents, stripe_price_id, sort_order)"
            " VALUES ($1, 'n', 'd', 500, 500, $2, 9)",
            package,
            price,
        )

    async def take_back_offers(self) -> None:
        """Of the packages that a test has made."""
        await self.owner.execute("UPDATE credits.packages SET active = false WHERE id NOT LIKE 'credits-%'")
        await self.owner.execute("DELETE FROM credits.package_prices")

    async def at_stripe(self, path: str, **query: Any) -> dict[str, Any]:
        """What Stripe answers."""
        answer = await self.stripe.get(f"/v1/{path}", params=query)
        assert answer.is_success, answer.text
        return answer.json()

    async def made_at_stripe(self, path: str, **form: Any) -> dict[str, Any]:
        """What Stripe makes."""
        answer = await self.stripe.post(f"/v1/{path}", data=form)
        assert answer.is_success, answer.text
        return answer.json()


@dataclass(frozen=True)
class Buyer:
    """A user of the shop."""

    shop: Shop
    user: SignedIn

    async def click(self, key: str | None = None, **body: Any) -> httpx.Response:
        """What ``POST /credits/purchases`` is answered."""
        headers = self.user.headers if key is None else {**self.user.headers, "Idempotency-Key": key}
        return await self.shop.http.post(PURCHASES, json={"packageId": PACKAGE, **body}, headers=headers)

    async def buy(self, key: str | None = None, **body: Any) -> dict[str, Any]:
        """The same where it succeeds."""
        answer = await self.click(key, **body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def purchases(self) -> list[dict[str, Any]]:
        """What ``GET /credits/purchases`` shows."""
        return (await self.shop.http.get(PURCHASES, headers=self.user.headers)).json()

    async def customer(self) -> str:
        """Who the user is at Stripe."""
        found = await self.shop.owner.fetchval(
            "SELECT stripe_customer_id FROM credits.customers WHERE account_id = $1::text::uuid AND NOT livemode",
            self.user.id,
        )
        assert isinstance(found, str)
        return found

    async def sessions(self) -> list[dict[str, Any]]:
        """The user's sessions at Stripe, the newest first."""
        found = await self.shop.at_stripe("checkout/sessions", limit=100)
        return [session for session in found["data"] if session["metadata"].get("user_id") == self.user.id]

    async def attempt(self) -> int:
        """Of the user's only purchase."""
        found = await self.shop.owner.fetchval(
            "SELECT checkout_attempt FROM credits.purchases WHERE account_id = $1::text::uuid", self.user.id
        )
        assert isinstance(found, int)
        return found
