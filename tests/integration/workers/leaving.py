"""Users who leave, and the parts of a payments worker that put in order what they leave, to be moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry

from contracts.topology import PAYMENTS_LOGIN
from ops.instance import Instance
from tests.integration.workers.payments import TEST_KEY, Event, Seller
from tests.integration.workers.running import until
from workers.payments.asking import Stripe
from workers.payments.leaving.abandoned import GivingUp
from workers.payments.leaving.forgetting import Forgetting
from workers.payments.leaving.meters import LeavingMeters
from workers.payments.leaving.store import LeavingStore
from workers.payments.meters import PaymentsMeters
from workers.payments.sending import Sending


@dataclass
class Keeper:
    """Parts of one worker; ``sending`` is connected."""

    forgetting: Forgetting
    giving_up: GivingUp
    sending: Sending
    registry: CollectorRegistry

    def counted(self, name: str, **labels: str) -> float:
        """A meter's figure."""
        return self.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def keeping_order(servers: Instance, stripe_url: str, key: str | None = TEST_KEY) -> AsyncGenerator[Keeper]:
    """A worker until the block ends."""
    registry = CollectorRegistry()
    meters, counted = PaymentsMeters(registry), LeavingMeters(registry)
    store = LeavingStore(servers.addresses.database_as("mana_payments"), application_name="leaving of tests")
    stripe = Stripe(key, stripe_url, meters)
    sending = Sending(servers.addresses.amqp_as(PAYMENTS_LOGIN), "sending of tests", meters)
    connected = asyncio.create_task(sending.run())
    live = None if key is None else False

    async def is_connected() -> bool:
        return sending.problem is None

    try:
        await until(is_connected, "the broker is there")
        yield Keeper(
            Forgetting(store, stripe, counted, live), GivingUp(store, stripe, sending, counted, live), sending, registry
        )
    finally:
        connected.cancel()
        await asyncio.wait({connected})
        await stripe.close()
        await store.close()


@dataclass
class Leaver:
    """A user who has begun to buy: a customer at Stripe with an open checkout."""

    seller: Seller
    metadata: Event
    customer: str
    session: str

    @property
    def user(self) -> str:
        """Their id."""
        return self.metadata["user_id"]

    async def delete(self) -> None:
        """As the front does it, but without sessions and the like."""
        async with self.seller.owner.transaction():
            await self.seller.owner.execute("SELECT set_config('app.user_id', $1, true)", self.user)
            await self.seller.owner.execute("SELECT auth.delete_this_user()")

    async def is_due(self) -> None:
        """What Stripe is to forget of them is due now."""
        await self.seller.owner.execute(
            "UPDATE credits.forgotten_customers SET due_at = now() WHERE stripe_customer_id = $1", self.customer
        )

    async def forgotten(self) -> list[asyncpg.Record]:
        """What is kept of the customer after the user is gone."""
        return await self.seller.owner.fetch(
            "SELECT *, due_at > now() AS later FROM credits.forgotten_customers WHERE stripe_customer_id = $1",
            self.customer,
        )

    async def at_stripe(self) -> tuple[bool, str]:
        """Whether the customer is deleted there, and how the checkout stands."""
        customer: dict[str, Any] = await self.seller.ask("GET", f"/v1/customers/{self.customer}")
        session = await self.seller.ask("GET", f"/v1/checkout/sessions/{self.session}")
        return customer.get("deleted", False), session["status"]


async def leaver(seller: Seller) -> Leaver:
    """A new one."""
    metadata = await seller.begin()
    customer = (await seller.ask("POST", "/v1/customers", data={"email": "ada@example.com"}))["id"]
    await seller.owner.execute(
        "INSERT INTO credits.customers (account_id, livemode, stripe_customer_id) VALUES ($1::text::uuid, false, $2)",
        metadata["user_id"],
        customer,
    )
    session = await seller.checkout(metadata, customer=customer)
    await seller.owner.execute(
        "UPDATE credits.purchases SET stripe_checkout_session_id = $2 WHERE id = $1::text::uuid",
        metadata["purchase_id"],
        session,
    )
    return Leaver(seller, metadata, customer, session)
