"""Many uses of one user, sent without waiting for answers, and what must have come of them."""

from __future__ import annotations

import asyncio
import json
import uuid

import asyncpg

from tests.e2e.client import Client
from tests.integration.workers.running import PATIENCE, until


async def send_uses(client: Client, user_id: str, number: int, *, first: int = 0, description: str = "a use") -> None:
    """Sends uses of one credit with the keys ``first`` …, in order; returns once all are confirmed."""

    async def send(key: int) -> None:
        body = {"userId": user_id, "amount": 1, "appId": "chat", "description": description, "idempotencyKey": str(key)}
        await client.publish(json.dumps(body).encode(), user_id, type="credits.use", message_id=str(uuid.uuid4()))

    # Tasks begin in the order in which they are made, and the library publishes in that order.
    await asyncio.gather(*(asyncio.create_task(send(key)) for key in range(first, first + number)))


async def keys_in_order(owner: asyncpg.Connection, user_id: str) -> list[str]:
    """The keys of the user's usages, by their sequence numbers."""
    rows = await owner.fetch(
        "SELECT idempotency_key FROM credits.transactions WHERE account_id = $1 AND type = 'usage' ORDER BY sequence",
        uuid.UUID(user_id),
    )
    return [row["idempotency_key"] for row in rows]


async def all_charged(owner: asyncpg.Connection, user_id: str, number: int, within: float = PATIENCE) -> None:
    """Waits until the uses ``0 … number - 1`` are in the ledger; each is there once, in the order sent."""

    async def look() -> bool:
        return len(await keys_in_order(owner, user_id)) >= number

    await until(look, f"{number} uses of {user_id}", within=within)
    assert await keys_in_order(owner, user_id) == [str(key) for key in range(number)]
