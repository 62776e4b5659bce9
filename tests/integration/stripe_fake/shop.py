"""A seller who uses Stripe's own library, and a stand-in that the library does not know from Stripe."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import stripe

from ops.fakes.stripe.remote import Remote
from tests.integration.stripe_fake.receiver import Receiver
from tests.integration.stripe_fake.shapes import JSON, against_library, objects_in

TEST_KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
LIVE_KEY = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
VERSION = "2026-10-28.endive"


class Recording(stripe.HTTPXClient):
    """The library's client for HTTP, which also keeps what was answered."""

    def __init__(self) -> None:
        super().__init__(timeout=30)
        self.answers: list[JSON] = []

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        body, status, answered = await super().request_async(method, url, headers, post_data)
        self.answers.append(json.loads(body))
        return body, status, answered


@asynccontextmanager
async def recording() -> AsyncGenerator[Recording]:
    """Such a client, closed at the end."""
    http = Recording()
    try:
        yield http
    finally:
        await http.close_async()


@dataclass
class Shop:
    """The library's client, the switches, and an endpoint for webhooks with its secret."""

    client: Any
    """Stripe's own; its types do not know what was expanded."""
    remote: Remote
    receiver: Receiver
    http: Recording
    url: str
    endpoint: str = ""
    secret: str = ""
    last: str | None = None
    """The newest event from before the test."""

    async def session(self, amount: int = 900, **params: Any) -> Any:
        """A Checkout session of one line."""
        line = {
            "price_data": {"currency": "eur", "unit_amount": amount, "product_data": {"name": "1,000 credits"}},
            "quantity": 1,
        }
        given = {
            "mode": "payment",
            "line_items": [line],
            "success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://shop.example/cancelled",
            **params,
        }
        return await self.client.v1.checkout.sessions.create_async(given)

    async def bought(self, amount: int = 900, number: str = "4242424242424242", **params: Any) -> Any:
        """The payment intent of a session that was paid."""
        session = await self.session(amount, **params)
        assert await self.remote.pay(session.id, number) is None
        session = await self.client.v1.checkout.sessions.retrieve_async(session.id)
        return await self.client.v1.payment_intents.retrieve_async(session.payment_intent)

    async def happened(self) -> list[Any]:
        """All events since the test began, the oldest first; those of other tests are not asked for."""
        since = {"ending_before": self.last} if self.last else {}
        pages = await self.client.v1.events.list_async({"limit": 100, **since})
        found = [event async for event in pages.auto_paging_iter()]
        return found if since else found[::-1]

    async def types(self) -> list[str]:
        """Their types."""
        return [event.type for event in await self.happened()]

    def misshapen(self) -> list[str]:
        """Where anything that was answered or sent is not as the library declares it."""
        sent = [json.loads(body) for body in self.receiver.bodies]
        different = {json.dumps(thing): thing for thing in objects_in([*self.http.answers, *sent])}
        return [problem for thing in different.values() for problem in against_library(thing)]
