"""Bans by administrators, with a real ledger worker behind them: what one ends at once, what it freezes, and how it is
lifted. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

import aio_pika
import asyncpg
import httpx
import msgspec
import pytest

from contracts.topology import COMMANDS_EXCHANGE, FRONT_LOGIN
from ops import ports
from ops.instance import Instance
from ops.urls import with_login
from tests.integration.api.administrators import SPAM, USE, acts_on, administrator, do, done, spend
from tests.integration.api.process import Process, front, relay, until_ready
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, is_valid, login
from tests.integration.auth.rows import add_token
from tests.integration.paused import paused


@pytest.fixture(scope="module")
async def deaf(servers: Instance, logs: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """A front that cannot reach the broker."""
    nowhere = with_login(f"amqp://127.0.0.1:{ports.choose(None, ())}/", FRONT_LOGIN, "x")
    async with (
        front(servers, logs, AMQP_URL=nowhere) as process,
        httpx.AsyncClient(base_url=process.url, timeout=20) as client,
    ):
        yield client


async def test_a_ban_shuts_out_at_once_and_is_lifted_again(
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn, owner: asyncpg.Connection
) -> None:
    """[57]: token, refresh, password, challenge, links, account."""
    user = UUID(spender.id)
    for purpose in ("two_factor", "password_reset", "email_change"):
        await add_token(owner, user, purpose)
    banned = await done(http, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    assert (banned["id"], banned["banReason"], banned["sessions"], banned["twoFactor"]) == (
        spender.id,
        "spam",
        0,
        False,
    )
    assert_problem(await spend(http, spender, "k1"), 401, "unauthorized")
    assert await is_valid(http, spender.access_token) is False
    refreshed = await http.post(f"{BASE}/auth/refresh", json={"refreshToken": spender.refresh_token})
    assert_problem(refreshed, 401, "unauthorized")
    body = {"email": spender.email, "password": PASSWORD}
    assert_problem(await http.post(f"{BASE}/auth/login", json=body), 401, "unauthorized")
    assert await owner.fetch("SELECT 1 FROM auth.verification_tokens WHERE user_id = $1", user) == []
    assert await owner.fetchval("SELECT frozen FROM credits.balances WHERE account_id = $1", user)
    assert await owner.fetchval("SELECT reason FROM credits.suspensions WHERE account_id = $1", user) == "banned"

    again = await done(http, admin, "POST", f"/users/{spender.id}/ban", {"reason": "another"})
    assert again == banned, "a second ban changes nothing"
    free = await done(http, admin, "POST", f"/users/{spender.id}/unban", SPAM)
    assert (free["bannedAt"], free["banReason"]) == (None, None)
    back = await login(http, spender.email)
    assert (await spend(http, back, "k2")).status_code == 200
    assert await acts_on(owner, spender, admin) == ["user.banned", "user.unbanned"]
    assert await owner.fetch("SELECT 1 FROM auth.outbox WHERE user_id = $1", user) == []


async def test_what_was_queued_before_the_ban_is_refused(
    http: httpx.AsyncClient,
    spender: SignedIn,
    admin: SignedIn,
    owner: asyncpg.Connection,
    servers: Instance,
    running_worker: Process,
) -> None:
    """[57]: two hundred uses wait in the queue, of an app that knows nothing of the ban."""
    user = UUID(spender.id)
    with paused(running_worker.child):
        await _queue_uses(servers, spender, 200)
        await done(http, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    async with asyncio.timeout(20):
        while len(await owner.fetch("SELECT 1 FROM credits.refusals WHERE account_id = $1", user)) < 200:
            await asyncio.sleep(0.1)
    codes = await owner.fetch("SELECT DISTINCT code FROM credits.refusals WHERE account_id = $1", user)
    assert [row["code"] for row in codes] == ["account_frozen"]
    spent = "SELECT count(*) FROM credits.transactions WHERE account_id = $1 AND type = 'usage'"
    assert await owner.fetchval(spent, user) == 0


async def _queue_uses(servers: Instance, user: SignedIn, count: int) -> None:
    connection = await aio_pika.connect(servers.addresses.amqp)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(COMMANDS_EXCHANGE, ensure=False)
        for number in range(count):
            body = msgspec.json.encode({**USE, "userId": user.id, "idempotencyKey": f"queued-{number}"})
            message = aio_pika.Message(
                body,
                type="credits.use",
                content_type="application/json",
                user_id=servers.addresses.administrator,
                message_id=f"queued-{number}",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await exchange.publish(message, routing_key=user.id)


async def test_freeze_and_unfreeze_do_not_change_places(
    http: httpx.AsyncClient,
    deaf: httpx.AsyncClient,
    spender: SignedIn,
    admin: SignedIn,
    owner: asyncpg.Connection,
    servers: Instance,
    logs: Path,
) -> None:
    """Banned where the broker was away, let in where it is back; the relay comes later, and finds nothing to spoil."""
    user = UUID(spender.id)
    await done(deaf, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    assert not await owner.fetchval("SELECT frozen FROM credits.balances WHERE account_id = $1", user)
    await done(http, admin, "POST", f"/users/{spender.id}/unban", SPAM)
    async with relay(servers, logs) as process:
        await until_ready(process)
        async with asyncio.timeout(10):
            while await owner.fetchval("SELECT count(*) FROM auth.outbox WHERE user_id = $1", user):
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
    rows = await owner.fetch(
        "SELECT split_part(idempotency_key, ':', 2) AS act FROM credits.keys WHERE account_id = $1"
        " AND idempotency_key ~ '^mana:(un)?ban:' ORDER BY created_at",
        user,
    )
    assert [row["act"] for row in rows] == ["ban", "unban"]
    assert not await owner.fetchval("SELECT frozen FROM credits.balances WHERE account_id = $1", user)


async def test_the_first_use_of_a_new_session_stands_behind_the_unfreeze(
    http: httpx.AsyncClient, deaf: httpx.AsyncClient, spender: SignedIn, admin: SignedIn
) -> None:
    """The front had sent commands of that user before, and nobody has told it of the unfreeze that waits."""
    assert (await spend(http, spender, "before")).status_code == 200
    await done(http, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    await done(deaf, admin, "POST", f"/users/{spender.id}/unban", SPAM)
    back = await login(http, spender.email)
    answer = await spend(http, back, "after")
    assert answer.status_code == 200, answer.text
    assert answer.json()["transaction"]["amount"] == -1


async def test_administrators_who_put_each_other_out_at_once(
    http: httpx.AsyncClient, owner: asyncpg.Connection, running_worker: Process
) -> None:
    """One wins and the other is refused; neither waits for a lock that the other holds."""
    for _ in range(3):
        pair = [await administrator(http, owner) for _ in range(2)]
        acts = [
            do(http, by, "POST", f"/users/{other.id}/ban", SPAM) for by, other in zip(pair, reversed(pair), strict=True)
        ]
        statuses = sorted(answer.status_code for answer in await asyncio.gather(*acts))
        assert statuses[0] == 200
        assert statuses[1] in (401, 403)
