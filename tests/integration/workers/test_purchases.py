"""A purchase's way through a worker: our own login tells its facts, subscribers hear of them, others are refused."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg
import pytest

from contracts.topology import WORKER_LOGIN
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.events import Subscriber

pytestmark = pytest.mark.usefixtures("worker")


async def _begin(owner: asyncpg.Connection, user: str) -> str:
    purchase = str(uuid.uuid4())
    await owner.execute(
        "INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status,"
        " created_at) VALUES ($1::text::uuid, $2::text::uuid, 'credits-500', 500, 500, 500, 'pending', now())",
        user,
        purchase,
    )
    return purchase


async def test_what_is_told_of_a_payment_is_carried_out_and_told_on(
    servers: Instance, client: Client, events: Subscriber, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    purchase, intent = await _begin(owner, user), f"pi_{user[:8]}"
    paid = {"paid": {"amount": 500, "currency": "eur", "paymentIntentId": intent}}
    told: list[tuple[str, str, dict[str, Any]]] = [
        ("credits.purchase", f"stripe:purchase:{intent}", paid),
        (
            "credits.clawback",
            "stripe:dispute:dp_1:500:open",
            {"dispute": {"id": "dp_1", "amount": 500, "state": "open"}},
        ),
        (
            "credits.clawback",
            "stripe:dispute:dp_1:500:lost",
            {"dispute": {"id": "dp_1", "amount": 500, "state": "lost"}},
        ),
        ("credits.thaw", "stripe:dispute:dp_1:500:won", {"dispute": {"id": "dp_1", "amount": 500, "state": "won"}}),
    ]
    async with Client.connected(servers.addresses.amqp_as(WORKER_LOGIN)) as ours:
        for kind, key, fact in told:
            for replayed in (False, True):
                reply = await ours.call(kind, user, purchaseId=purchase, idempotencyKey=key, **fact)
                assert (reply["ok"], reply["replayed"], reply["transaction"]["origin"]) == (True, replayed, "system")
    heard = (await events.has(user, 5))[1:]
    names = ["credits.purchased", "credits.disputed", "credits.clawed_back", "credits.clawed_back"]
    assert [event["type"] for event in heard] == names
    assert [event["data"]["transaction"]["amount"] for event in heard] == [500, -500, 0, 500]
    assert {f"{name}.system" for name in names} <= set(events.keys)
    assert await owner.fetchval("SELECT status FROM credits.purchases WHERE id = $1", purchase) == "completed"


async def test_nobody_else_may_tell_of_payments(client: Client, owner: asyncpg.Connection) -> None:
    user = await client.open_user()
    purchase = await _begin(owner, user)
    paid = {"amount": 500, "currency": "eur", "paymentIntentId": "pi_free"}
    for key, code in (("mine", "forbidden"), ("stripe:purchase:pi_free", "invalid_request")):
        reply = await client.call("credits.purchase", user, purchaseId=purchase, idempotencyKey=key, paid=paid)
        assert reply["error"]["code"] == code
    assert await owner.fetchval("SELECT status FROM credits.purchases WHERE id = $1", purchase) == "pending"
