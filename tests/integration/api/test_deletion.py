"""Users who delete themselves: what was known of them goes, the ledger keeps its figures. Numbers: SECURITY.md's."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from ops.instance import Instance
from tests.integration.api.authenticator import age_sessions, answer, challenge, enrol, verify_address
from tests.integration.api.keys import make_key
from tests.integration.api.process import Process
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, login, sign_up
from tests.integration.auth.rows import add_mail
from workers.ledger.audit.looking import audit

ME, LOGIN, REFRESH = f"{BASE}/auth/me", f"{BASE}/auth/login", f"{BASE}/auth/refresh"


@pytest.fixture
async def relay(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The database as the relay sees it, which blanks what is left of the deleted."""
    connection = await asyncpg.connect(servers.addresses.database_as("mana_relay"))
    yield connection
    await connection.close()


async def _delete(http: httpx.AsyncClient, user: SignedIn) -> httpx.Response:
    return await http.delete(ME, headers=user.headers)


@dataclass(frozen=True)
class Traces:
    """A user who has left the word ``canary`` wherever a user can."""

    user: SignedIn
    canary: str


async def _leave_traces(http: httpx.AsyncClient, owner: asyncpg.Connection) -> Traces:
    canary = f"canary{secrets.token_hex(8)}"
    agent = {"user-agent": f"{canary} browser"}
    email, device = f"{canary}@example.com", {"deviceId": canary, "deviceName": f"{canary}'s phone"}
    registration = {"email": email, "password": PASSWORD, "name": canary}
    assert (await http.post(f"{BASE}/auth/register", json=registration, headers=agent)).status_code == 201
    given = (await http.post(LOGIN, json={"email": email, "password": PASSWORD, **device}, headers=agent)).json()
    user = SignedIn(given["user"]["id"], email, given["accessToken"], given["refreshToken"])
    await make_key(http, user, "credits:use", name=canary)
    for amount in (3, 4, 1_000):
        body = {"amount": amount, "appId": "chat", "description": f"to {canary}", "metadata": {"to": canary}}
        used = await http.post(f"{BASE}/credits/use", json=body, headers=user.headers)
        assert used.status_code == (402 if amount == 1_000 else 200), used.text
    await http.post(LOGIN, json={"email": email, "password": "wrong " + PASSWORD}, headers=agent)
    await add_mail(owner, "password_changed", UUID(user.id), email)
    await owner.execute(
        "INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status,"
        " checkout_url, created_at) VALUES ($1, gen_random_uuid(), 'credits-500', 500, 500, 500, 'pending', $2, now())",
        UUID(user.id),
        f"https://checkout.example/{canary}",
    )
    return Traces(user, canary)


async def _tables_with(owner: asyncpg.Connection, text: str) -> list[str]:
    tables = await owner.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND relnamespace IN ('auth'::regnamespace, 'credits'::regnamespace, 'mana'::regnamespace)"
    )
    assert len(tables) > 20
    names = sorted(row["name"] for row in tables)
    found = [
        await owner.fetchval(f"SELECT count(*) FROM {name} AS t WHERE t::text ILIKE $1", f"%{text}%") for name in names
    ]
    return [name for name, count in zip(names, found, strict=True) if count]


async def _in_redis(servers: Instance, text: str) -> list[bytes]:
    """Keys that hold the text, in their names or as what is kept under them."""
    redis = Redis.from_url(servers.addresses.redis)
    try:
        keys = [key async for key in redis.scan_iter()]
        values = await redis.mget(keys) if keys else []
    finally:
        await redis.aclose()
    assert None not in values, "something else than text is kept: it must be looked at too"
    return [key for key, value in zip(keys, values, strict=True) if text.encode() in key + (value or b"")]


async def _erase(owner: asyncpg.Connection, relay: asyncpg.Connection, user: SignedIn) -> None:
    """All passes over what is left of the user, those of later days included."""
    left = "SELECT EXISTS (SELECT FROM auth.erasures WHERE user_id = $1)"
    assert await owner.fetchval(left, UUID(user.id)), "nothing of the user's was to be erased"
    for _ in range(10):
        await owner.execute("UPDATE auth.erasures SET due_at = now() WHERE user_id = $1", UUID(user.id))
        while await relay.fetchval("SELECT auth.erase_some(1)"):
            pass
        if not await owner.fetchval(left, UUID(user.id)):
            return
    raise AssertionError("the erasure has no end")


async def _figures(owner: asyncpg.Connection, user: SignedIn) -> Any:
    return await owner.fetchrow(
        "SELECT count(*), sum(amount), max(sequence), max(balance_after) FROM credits.transactions"
        " WHERE account_id = $1",
        UUID(user.id),
    )


async def _violations(servers: Instance) -> dict[str, int]:
    """What `mana verify` finds; other tests of these servers have spoilt some accounts on purpose."""
    findings = await audit(servers.addresses.database_as("mana_owner"))
    return {finding.invariant.name: finding.violations for finding in findings}


async def test_nothing_personal_is_left_and_the_ledger_keeps_its_figures(
    http: httpx.AsyncClient,
    running_worker: Process,
    servers: Instance,
    owner: asyncpg.Connection,
    relay: asyncpg.Connection,
) -> None:
    """[70]: in no table, nor in Redis; only the mail that says good-bye still knows where to."""
    assert running_worker.child.returncode is None
    traces = await _leave_traces(http, owner)
    await verify_address(owner, traces.user)
    user, canary = traces.user, traces.canary
    assert {
        "auth.users",
        "auth.sessions",
        "auth.security_events",
        "auth.mails",
        "credits.transactions",
        "credits.purchases",
    } <= set(await _tables_with(owner, canary))
    figures, violations = await _figures(owner, user), await _violations(servers)
    assert figures["count"] == 3

    deleted = await _delete(http, user)
    assert deleted.json() == {"success": True}
    assert deleted.headers["cache-control"] == "no-store"
    assert await owner.fetchval("SELECT frozen FROM credits.balances WHERE account_id = $1", UUID(user.id)) is True
    assert await owner.fetchval("SELECT count(*) FROM auth.outbox WHERE user_id = $1", UUID(user.id)) == 0
    suspended = "SELECT reason FROM credits.suspensions WHERE account_id = $1"
    assert await owner.fetchval(suspended, UUID(user.id)) == "deleted"

    await _erase(owner, relay, user)
    assert await _tables_with(owner, canary) == ["auth.mails"]
    (mail,) = await owner.fetch("DELETE FROM auth.mails WHERE email = $1 RETURNING kind, user_id, details", user.email)
    assert tuple(mail) == ("account_deleted", None, '{"language":"en"}')
    assert await _tables_with(owner, canary) == []
    assert await _in_redis(servers, canary) == []
    told = await owner.fetch(
        "SELECT type, address, user_agent FROM auth.security_events WHERE user_id = $1", UUID(user.id)
    )
    assert {"sign_in.succeeded", "sign_in.failed", "user.deleted"} <= {row["type"] for row in told}
    assert {(row["address"], row["user_agent"]) for row in told} == {(None, None)}
    assert await _figures(owner, user) == figures
    assert await _violations(servers) == violations


async def test_a_stranger_whose_address_was_never_proven_gets_no_good_bye(
    http: httpx.AsyncClient, spender: SignedIn, owner: asyncpg.Connection
) -> None:
    """[70]: nothing of the address is left at all."""
    assert (await _delete(http, spender)).status_code == 200
    assert await _tables_with(owner, spender.email) == []


async def test_everything_of_a_deleted_user_is_dead(http: httpx.AsyncClient, spender: SignedIn) -> None:
    """[57]: the address is free again, for somebody else."""
    other = await login(http, spender.email)
    assert (await _delete(http, spender)).status_code == 200
    for session in (spender, other):
        assert_problem(await http.get(ME, headers=session.headers), 401, "unauthorized")
        assert_problem(await http.get(f"{BASE}/credits/balance", headers=session.headers), 401, "unauthorized")
        refreshed = await http.post(REFRESH, json={"refreshToken": session.refresh_token})
        assert_problem(refreshed, 401, "unauthorized")
        validated = await http.post(f"{BASE}/auth/validate", json={"token": session.access_token})
        assert validated.json() == {"valid": False, "payload": None}
    refused = await http.post(LOGIN, json={"email": spender.email, "password": PASSWORD})
    assert_problem(refused, 401, "unauthorized")
    again = await http.post(f"{BASE}/auth/register", json={"email": spender.email, "password": PASSWORD})
    assert again.status_code == 201
    assert again.json()["id"] != spender.id


async def test_a_challenge_dies_with_its_user(
    http: httpx.AsyncClient, running_worker: Process, owner: asyncpg.Connection
) -> None:
    """[57]."""
    assert running_worker.child.returncode is None
    enrolled = await enrol(http, owner)
    given = await challenge(http, enrolled.user.email)
    assert (await _delete(http, enrolled.user)).status_code == 200
    answered = await answer(http, given, recoveryCode=enrolled.recovery_codes[0])
    assert_problem(answered, 401, "unauthorized")


async def test_a_session_of_some_minutes_ago_deletes_nobody(
    http: httpx.AsyncClient, spender: SignedIn, owner: asyncpg.Connection
) -> None:
    """[70]."""
    await age_sessions(owner, spender)
    problem = assert_problem(await _delete(http, spender), 403, "forbidden")
    assert problem["details"] == {"reauthenticate": True}
    proven = await http.post(f"{BASE}/auth/reauthenticate", json={"password": PASSWORD}, headers=spender.headers)
    assert proven.status_code == 200
    assert (await _delete(http, spender)).status_code == 200


async def test_the_last_administrator_stays(
    http: httpx.AsyncClient, spender: SignedIn, owner: asyncpg.Connection
) -> None:
    other = await sign_up(http)
    await owner.execute("UPDATE auth.users SET role = 'user'")
    crown = "UPDATE auth.users SET role = 'admin' WHERE id = $1"
    await owner.execute(crown, UUID(spender.id))
    assert_problem(await _delete(http, spender), 403, "forbidden")
    assert (await http.get(ME, headers=spender.headers)).status_code == 200
    await owner.execute(crown, UUID(other.id))
    assert (await _delete(http, spender)).status_code == 200
    await owner.execute("UPDATE auth.users SET role = 'user'")


async def test_a_deletion_against_refreshes_and_itself(http: httpx.AsyncClient, spender: SignedIn) -> None:
    """[6] [57]: whoever wins, afterwards no token works."""
    refreshing = [http.post(REFRESH, json={"refreshToken": spender.refresh_token}) for _ in range(5)]
    answers = await asyncio.gather(*(_delete(http, spender) for _ in range(5)), *refreshing)
    assert [one.status_code for one in answers[:5]].count(200) == 1
    assert {one.status_code for one in answers[:5]} == {200, 401}
    for refreshed in answers[5:]:
        assert refreshed.status_code in {200, 401}
        if refreshed.status_code == 200:
            headers = {"authorization": f"Bearer {refreshed.json()['accessToken']}"}
            assert_problem(await http.get(ME, headers=headers), 401, "unauthorized")
            spent = await http.post(REFRESH, json={"refreshToken": refreshed.json()["refreshToken"]})
            assert_problem(spent, 401, "unauthorized")
