"""A seller whose events reach the payments worker by the broker, as the front would queue them."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import httpx
import uuid_utils
from aio_pika.abc import AbstractExchange

from contracts.topology import FRONT_LOGIN, STRIPE_EXCHANGE
from ops.fakes.stripe.remote import Remote
from ops.instance import Instance
from ops.programs import ProcessSettings
from tests.e2e.client import Client
from tests.integration.workers.running import Running, running, until

TEST_KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
PRICE = 500
CREDITS = 500
_NUMBERS = itertools.count()

Event = dict[str, Any]


@asynccontextmanager
async def payments_worker(servers: Instance, logs: Path, stripe_url: str, **settings: str) -> AsyncGenerator[Running]:
    """A ready payments worker until the block ends."""
    own = ProcessSettings(servers.addresses, partitions=4).payments()
    environment = {**own, "STRIPE_SECRET_KEY": TEST_KEY, "STRIPE_API_URL": stripe_url, **settings}
    async with running(servers, logs, "workers.payments", environment) as process:
        await process.ready()
        yield process


@asynccontextmanager
async def queueing(servers: Instance) -> AsyncGenerator[AbstractExchange]:
    """The exchange that the front queues events on, with its login and confirms."""
    async with await aio_pika.connect(servers.addresses.amqp_as(FRONT_LOGIN)) as connection:
        yield await (await connection.channel()).get_exchange(STRIPE_EXCHANGE, ensure=False)


@dataclass
class Seller:
    """A shop: purchases, payments at the stand-in, and what is told of them."""

    stripe: httpx.AsyncClient
    remote: Remote
    exchange: AbstractExchange
    owner: asyncpg.Connection
    client: Client

    async def begin(
        self, user: str | None = None, session: str | None = None, *, size: int = CREDITS, price: int = PRICE
    ) -> Event:
        """A purchase as the front begins it; ``user_id`` and ``purchase_id``, as its metadata are."""
        metadata = {"purchase_id": str(uuid_utils.uuid7()), "user_id": user or await self.client.open_user()}
        await self.owner.execute(
            "INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status,"
            " stripe_checkout_session_id, created_at)"
            " VALUES ($1::text::uuid, $2::text::uuid, 'credits-500', $3, $4, $4, 'pending', $5, now())",
            metadata["user_id"],
            metadata["purchase_id"],
            size,
            price,
            session,
        )
        return metadata

    async def checkout(self, metadata: Event, price: int = PRICE, **wish: str) -> str:
        """A Checkout session for a purchase; its id."""
        form = {
            "mode": "payment",
            "success_url": "https://shop.example/done",
            "client_reference_id": metadata["purchase_id"],
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": "eur",
            "line_items[0][price_data][unit_amount]": str(price),
            "line_items[0][price_data][product_data][name]": "500 credits",
            **wish,
        }
        for name, value in metadata.items():
            form[f"metadata[{name}]"] = form[f"payment_intent_data[metadata][{name}]"] = value
        return (await self.ask("POST", "/v1/checkout/sessions", data=form))["id"]

    async def bought(self, metadata: Event, number: str = "4242424242424242") -> str:
        """Pays a session for a purchase; the payment intent's id."""
        session = await self.checkout(metadata)
        assert await self.remote.pay(session, number) is None
        return (await self.ask("GET", f"/v1/checkout/sessions/{session}"))["payment_intent"]

    async def refund(self, intent: str, amount: int) -> str:
        """Refunds a part of a payment; the refund's id."""
        wish = {"payment_intent": intent, "amount": str(amount)}
        return (await self.ask("POST", "/v1/refunds", data=wish))["id"]

    async def happened(self, purchase: str, intent: str) -> list[Event]:
        """What Stripe has to tell of a purchase, the oldest first."""
        page = await self.ask("GET", "/v1/events", params={"limit": "100"})
        of_it = [one for one in page["data"] if purchase in json.dumps(one) or intent in json.dumps(one)]
        return of_it[::-1]

    async def tell(self, *events: Event | bytes) -> None:
        """Queues events, in this order; each is safe at the broker then."""
        for one in events:
            body = one if isinstance(one, bytes) else json.dumps(one).encode()
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await self.exchange.publish(message, "")

    async def done(self, *events: str, within: float = 30) -> dict[str, asyncpg.Record]:
        """Returns once these events are done: their rows."""
        rows: dict[str, asyncpg.Record] = {}

        async def look() -> bool:
            rows.update(await self.rows(events))
            return set(events) == {name for name, row in rows.items() if row["done_at"] is not None}

        await until(look, f"events are done: {rows}", within=within)
        return rows

    async def rows(self, events: Iterable[str]) -> dict[str, asyncpg.Record]:
        """The rows of these events that are there."""
        found = await self.owner.fetch("SELECT * FROM credits.stripe_events WHERE id = ANY ($1)", list(events))
        return {row["id"]: row for row in found}

    async def purchase(self, metadata: Event) -> asyncpg.Record:
        """A purchase's row."""
        row = await self.owner.fetchrow(
            "SELECT * FROM credits.purchases WHERE id = $1::text::uuid", metadata["purchase_id"]
        )
        assert row is not None
        return row

    async def transactions(self, metadata: Event) -> list[tuple[str, int]]:
        """What the ledger did for a purchase's user since the account was opened: types and amounts."""
        rows = await self.owner.fetch(
            "SELECT type, amount FROM credits.transactions WHERE account_id = $1::text::uuid AND sequence > 1"
            " ORDER BY sequence",
            metadata["user_id"],
        )
        return [(row["type"], row["amount"]) for row in rows]

    async def ask(self, method: str, path: str, **wish: Any) -> Event:
        """What the stand-in's API answers; anything but success fails."""
        answer = await self.stripe.request(method, path, **wish)
        assert answer.is_success, answer.text
        return answer.json()


@asynccontextmanager
async def selling(servers: Instance, stripe_url: str, client: Client) -> AsyncGenerator[Seller]:
    """A seller until the block ends."""
    headers = {"Authorization": f"Bearer {TEST_KEY}"}
    owner = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    async with (
        httpx.AsyncClient(base_url=stripe_url, headers=headers, timeout=30) as http,
        Remote(stripe_url) as remote,
        queueing(servers) as exchange,
    ):
        yield Seller(http, remote, exchange, owner, client)
    await owner.close()


def event(kind: str, about: Event, **fields: Any) -> Event:
    """An event that nothing at the stand-in caused."""
    return {
        "id": f"evt_test_{next(_NUMBERS)}",
        "object": "event",
        "type": kind,
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": about},
        **fields,
    }


def session_of(metadata: Event, **fields: Any) -> Event:
    """A checkout session of a purchase, paid unless told otherwise."""
    number = next(_NUMBERS)
    return {
        "id": f"cs_test_made{number}",
        "object": "checkout.session",
        "payment_status": "paid",
        "payment_intent": f"pi_made{number}_{metadata['purchase_id'][:8]}",
        "amount_total": PRICE,
        "currency": "eur",
        "metadata": metadata,
        **fields,
    }
