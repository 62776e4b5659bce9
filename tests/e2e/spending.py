"""A load whose every request must be answered: by REST on connections that are kept and on fresh ones, and by AMQP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import httpx

from tests.e2e.client import Client
from tests.integration.api.users import BASE, SignedIn, sign_up

_PAUSE = 0.05
_CREDITS = 1_000_000


@dataclass
class Spent:
    """How many spends each user was told of, and how long the longest answer took, in seconds."""

    by_user: dict[str, int] = field(default_factory=dict[str, int])
    longest: dict[str, float] = field(default_factory=dict[str, float])
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def spend(self, way: str, user: str, ask: Callable[[], Awaitable[None]]) -> None:
        """Again and again, until it is over; whatever `ask` raises ends the test."""
        while not self.over.is_set():
            began = time.monotonic()
            await ask()
            self.longest[way] = max(self.longest.get(way, 0.0), time.monotonic() - began)
            self.by_user[user] = self.by_user.get(user, 0) + 1
            await asyncio.sleep(_PAUSE)

    async def goes_on(self) -> None:
        """Until each user was told of some more."""
        before = dict(self.by_user)
        async with asyncio.timeout(60):
            while not all(self.by_user.get(user, 0) > before[user] + 3 for user in before):
                await asyncio.sleep(0.05)

    def forget(self) -> dict[str, float]:
        """The longest answers until now; those to come are counted anew."""
        told, self.longest = self.longest, {}
        return told

    async def agrees_with(self, database: str) -> None:
        """The books have each spend, once."""
        assert await uses_by_user(database) == self.by_user


async def uses_by_user(database: str) -> dict[str, int]:
    """What the books have."""
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(
            "SELECT account_id::text AS user_id, count(*) AS uses FROM credits.transactions"
            " WHERE type = 'usage' GROUP BY account_id"
        )
    finally:
        await connection.close()
    return {row["user_id"]: row["uses"] for row in rows}


@asynccontextmanager
async def spending(api: str, amqp: str, users: int = 2) -> AsyncGenerator[Spent]:
    """So many users spend in each way, all the time."""
    spent = Spent()
    async with (
        Client.connected(amqp) as client,
        httpx.AsyncClient(base_url=api, timeout=60) as kept,
        asyncio.TaskGroup() as load,
    ):
        for _ in range(users):
            opened = await client.open_user()
            await grant(client, opened)
            load.create_task(spent.spend("AMQP", opened, lambda opened=opened: _by_amqp(client, opened)))
            for way in ("REST, kept connections", "REST, fresh connections"):
                user = await _signed_up(kept, client)
                http = kept if way == "REST, kept connections" else None
                load.create_task(spent.spend(way, user.id, lambda u=user, h=http: _by_rest(api, u, h)))
        await spent.goes_on()
        yield spent
        spent.over.set()


async def _by_amqp(client: Client, user: str) -> None:
    reply = await client.use(user, 1)
    assert reply["ok"], reply


async def _by_rest(api: str, user: SignedIn, kept: httpx.AsyncClient | None) -> None:
    """Without a second try, whatever becomes of the connection."""
    if kept is None:
        async with httpx.AsyncClient(base_url=api, timeout=60) as fresh:
            return await _by_rest(api, user, fresh)
    body = {"amount": 1, "appId": "chat", "description": "while versions change"}
    answer = await kept.post(f"{BASE}/credits/use", json=body, headers={**user.headers, "prefer": "wait=30"})
    assert answer.status_code == 200, answer.text
    return None


async def _signed_up(http: httpx.AsyncClient, client: Client) -> SignedIn:
    user = await sign_up(http)
    async with asyncio.timeout(20):
        while (await http.get(f"{BASE}/credits/balance", headers=user.headers)).status_code != 200:
            await asyncio.sleep(0.1)
    await grant(client, user.id)
    return user


async def grant(client: Client, user: str) -> None:
    """More credits than any load spends."""
    reply = await client.call(
        "credits.grant", user, amount=_CREDITS, description="to spend", source="promotion", idempotencyKey="much"
    )
    assert reply["ok"], reply
