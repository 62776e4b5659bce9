"""Users who have saved a card and want to be topped up, as the front leaves them, and what becomes of their top-ups."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry

from contracts.commands import Buy, ClawBack
from contracts.payments import Disputed, Payment, Refunded
from contracts.stripe import paid_key
from contracts.topology import PAYMENTS_LOGIN
from ops.instance import Instance
from tests.integration.workers.payments import TEST_KEY, Seller
from tests.integration.workers.running import until
from workers.payments.asking import Stripe
from workers.payments.meters import PaymentsMeters
from workers.payments.model import Commands
from workers.payments.sending import Sending
from workers.payments.topping_up.charging import Charging
from workers.payments.topping_up.looking import Looking
from workers.payments.topping_up.meters import TopupMeters
from workers.payments.topping_up.store import TopupStore
from workers.payments.topping_up.telling import FailureTelling

BELOW = 151
"""One more than a new account has."""


@dataclass
class Worker:
    """The parts of a payments worker that top up, to be moved by hand. ``sending`` is not connected."""

    store: TopupStore
    looking: Looking
    charging: Charging
    telling: FailureTelling
    sending: Sending
    registry: CollectorRegistry

    async def round(self) -> None:
        """All of it once, whoever's turn it is."""
        await self.looking.look()
        await self.charging.round()

    def counted(self, name: str, **labels: str) -> float:
        """A meter's figure."""
        return self.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def topping_up(servers: Instance, stripe_url: str, number: int = 1) -> AsyncGenerator[list[Worker]]:
    """So many workers, each with connections of its own."""
    async with AsyncExitStack() as stack:
        workers: list[Worker] = []
        for _ in range(number):
            registry = CollectorRegistry()
            meters, counted = PaymentsMeters(registry), TopupMeters(registry)
            store = TopupStore(servers.addresses.database_as("mana_payments"), application_name="top-ups of tests")
            stripe = Stripe(TEST_KEY, stripe_url, meters)
            stack.push_async_callback(store.close)
            stack.push_async_callback(stripe.close)
            sending = Sending(servers.addresses.amqp_as(PAYMENTS_LOGIN), "sending of tests", meters)
            looking, charging = Looking(store, counted, live=False), Charging(store, stripe, counted, live=False)
            telling = FailureTelling(store, sending, counted)
            workers.append(Worker(store, looking, charging, telling, sending, registry))
        yield workers


@dataclass
class Saver:
    """A user with a saved card, whose credits are below their limit."""

    seller: Seller
    owner: asyncpg.Connection
    user: str
    customer: str
    card: str

    async def topup(self) -> asyncpg.Record:
        """What the user has set."""
        return await self._row("SELECT * FROM credits.topups WHERE account_id = $1::text::uuid")

    async def payment(self) -> asyncpg.Record:
        """The newest top-up's payment."""
        return await self._row(
            "SELECT * FROM credits.topup_payments WHERE account_id = $1::text::uuid ORDER BY begun_at DESC LIMIT 1"
        )

    async def purchases(self) -> list[str]:
        """How the user's purchases stand, the oldest first."""
        rows = await self.owner.fetch(
            "SELECT status FROM credits.purchases WHERE account_id = $1::text::uuid ORDER BY id", self.user
        )
        return [row["status"] for row in rows]

    async def balance(self) -> int:
        """All credits."""
        row = await self._row(
            "SELECT balance + free_credits_remaining AS credits FROM credits.balances WHERE account_id = $1::text::uuid"
        )
        return row["credits"]

    async def charges(self) -> list[dict[str, Any]]:
        """The payments that Stripe has tried, the newest first."""
        answer = await self.seller.stripe.get("/v1/payment_intents", params={"customer": self.customer, "limit": 100})
        return answer.json()["data"]

    async def mails(self) -> list[asyncpg.Record]:
        """What the user is to be written."""
        return await self.owner.fetch("SELECT * FROM auth.mails WHERE user_id = $1::text::uuid", self.user)

    async def keys(self) -> set[str]:
        """What the ledger holds of the user, but for the opening."""
        rows = await self.owner.fetch(
            "SELECT idempotency_key FROM credits.keys WHERE account_id = $1::text::uuid"
            " UNION SELECT idempotency_key FROM credits.transactions WHERE account_id = $1::text::uuid",
            self.user,
        )
        return {row["idempotency_key"] for row in rows} - {"open"}

    async def change(self, assignments: str, table: str = "topups") -> None:
        """Something about the user has changed."""
        await self.owner.execute(
            f"UPDATE credits.{table} SET {assignments} WHERE account_id = $1::text::uuid", self.user
        )

    async def is_asked_for(self) -> bool:
        """Whether a worker asks Stripe for a payment now, or has done so."""
        tries = await self.owner.fetch(
            "SELECT tries FROM credits.topup_payments WHERE account_id = $1::text::uuid", self.user
        )
        return any(row["tries"] for row in tries)

    async def is_taken_on(self) -> bool:
        """Whether Stripe has answered."""
        states = await self.owner.fetch(
            "SELECT state FROM credits.topup_payments WHERE account_id = $1::text::uuid", self.user
        )
        return [row["state"] for row in states] == ["waiting"]

    async def is_looked_at(self) -> None:
        """The next turn of a worker that runs by itself is now."""
        await self.owner.execute("UPDATE credits.topup_rounds SET due_at = now()")

    async def tell(self) -> None:
        """Stripe tells of the newest payment."""
        payment = await self.payment()
        intent = payment["stripe_payment_intent_id"]
        await self.seller.tell(*await self.seller.happened(str(payment["purchase_id"]), intent))

    async def ends(self, status: str) -> None:
        """Returns once the newest purchase has this status, and the user may be topped up again."""

        async def look() -> bool:
            return (await self.purchases())[-1:] == [status] and (await self.topup())["purchase_id"] is None

        await until(look, f"a top-up is {status}")

    async def _row(self, sql: str) -> asyncpg.Record:
        row = await self.owner.fetchrow(sql, self.user)
        assert row is not None
        return row


async def saver(seller: Seller, card: str = "pm_card_visa", most_per_month: int = 5) -> Saver:
    """A new one; ``card`` is one of Stripe's names for test cards."""
    user = await seller.client.open_user()
    customer = (await seller.stripe.post("/v1/customers", data={"email": "ada@example.com"})).json()["id"]
    attached = await seller.stripe.post(f"/v1/payment_methods/{card}/attach", data={"customer": customer})
    method = attached.json()["id"]
    await seller.owner.execute(
        "INSERT INTO auth.users (id, email, email_key, email_verified) VALUES ($1::text::uuid, $2, $2, true)",
        user,
        f"{uuid.uuid4()}@example.com",
    )
    await seller.owner.execute(
        "INSERT INTO credits.customers (account_id, livemode, stripe_customer_id) VALUES ($1::text::uuid, false, $2)",
        user,
        customer,
    )
    await seller.owner.execute(
        "INSERT INTO credits.topups (account_id, below, package_id, most_per_month, stripe_payment_method_id, livemode)"
        " VALUES ($1::text::uuid, $2, 'credits-500', $3, $4, false)",
        user,
        BELOW,
        most_per_month,
        method,
    )
    return Saver(seller, seller.owner, user, customer, method)


async def pay(ada: Saver, worker: Worker) -> None:
    """The ledger is told of the payment, as by Stripe's event."""
    payment = await ada.payment()
    intent = payment["stripe_payment_intent_id"]
    paid = Payment(amount=500, currency="eur", payment_intent_id=intent)
    purchase = str(payment["purchase_id"])
    command = Buy(user_id=ada.user, idempotency_key=paid_key(intent), purchase_id=purchase, paid=paid)
    await _send(worker, Commands(ada.user, (command,)))

    async def is_paid() -> bool:
        return (await ada.purchases())[-1] == "completed"

    await until(is_paid, "the credits are there")


async def claw_back(ada: Saver, worker: Worker, reason: str, name: str) -> None:
    """The ledger is told of a refund or a dispute of the newest purchase, as by Stripe's event."""
    purchase = str((await ada.payment())["purchase_id"])
    if reason == "refund":
        key, refund, dispute = f"stripe:refund:{name}:succeeded", Refunded(id=name, amount=500, state="succeeded"), None
    else:
        key, refund, dispute = f"stripe:dispute:{name}:500:open", None, Disputed(id=name, amount=500, state="open")
    command = ClawBack(user_id=ada.user, idempotency_key=key, purchase_id=purchase, refund=refund, dispute=dispute)
    await _send(worker, Commands(ada.user, (command,)))

    async def is_known() -> bool:
        return key in await ada.keys()

    await until(is_known, f"the ledger holds {key}")


async def tell_stops(ada: Saver, worker: Worker) -> None:
    """Returns once the broker has the event."""
    connected = asyncio.create_task(worker.sending.run())

    async def told() -> bool:
        await ada.change("due_at = now()", "topup_stops")
        await worker.telling.round()
        return not await ada.owner.fetch("SELECT FROM credits.topup_stops WHERE account_id = $1::text::uuid", ada.user)

    try:
        await until(told, "the stop is told")
    finally:
        await _ended(connected)


async def tell_failures(ada: Saver, worker: Worker) -> None:
    """Returns once the broker has the event, and the ledger the command."""
    connected = asyncio.create_task(worker.sending.run())

    async def told() -> bool:
        await ada.change("due_at = now()", "topup_payments")
        await worker.telling.round()
        return (await ada.payment())["told_at"] is not None and await ada.purchases() == ["failed"]

    try:
        await until(told, "the failure is told")
    finally:
        await _ended(connected)


async def _send(worker: Worker, commands: Commands) -> None:
    connected = asyncio.create_task(worker.sending.run())

    async def sent() -> bool:
        return (await worker.sending.send([commands])) == [True]

    try:
        await until(sent, "the ledger is told")
    finally:
        await _ended(connected)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
