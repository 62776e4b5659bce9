"""What users see, change and take along of themselves. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from tests.integration.api.authenticator import Enrolled, age_sessions, enrol
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.users import (
    BASE,
    PASSWORD,
    SignedIn,
    assert_problem,
    fields,
    login,
    new_email,
    sign_up,
)

ME, EXPORT = f"{BASE}/auth/me", f"{BASE}/auth/me/export"

_SECTIONS: Final = {
    "auth.users": "user",
    "auth.passwords": "password",
    "auth.two_factor_auth": "twoFactor",
    "auth.accounts": "identities",
    "auth.sessions": "sessions",
    "auth.refresh_tokens": "refreshTokens",
    "auth.devices": "devices",
    "auth.verification_tokens": "links",
    "auth.mails": "mails",
    "auth.security_events": "securityEvents",
    "auth.imports": "imports",
    "auth.outbox": "pendingCommands",
    "credits.balances": "balance",
    "credits.lots": "lots",
    "credits.transactions": "transactions",
    "credits.keys": "operations",
    "credits.refusals": "refusals",
    "credits.usage_stats": "usage",
    "credits.purchases": "purchases",
}
"""Where an export holds the rows of each table that has a user's rows."""
_WITH_OTHERS: Final = {
    "credits.postings": "with their transactions",
    "auth.erasures": "of those who are deleted: nobody is left to ask",
    "credits.suspensions": "of those who are deleted or banned: they cannot ask, and the ban itself is with the user",
}
_ROWS: Final = {
    "auth.accounts": "(id, user_id, issuer, subject) VALUES (gen_random_uuid(), $1, 'https://id', 'ada')",
    "auth.devices": "(user_id, device_hash) VALUES ($1, sha256('laptop'))",
    "auth.verification_tokens": "(id, user_id, purpose, token_hash, email, expires_at, credential_epoch)"
    " VALUES (gen_random_uuid(), $1, 'email_verify', sha256('link'), 'a@b.c', now() + interval '1 h', 0)",
    "auth.security_events": "(id, user_id, actor_id, type, address, details)"
    " VALUES (gen_random_uuid(), $1, gen_random_uuid(), 'user.unbanned', '192.0.2.9', '{\"reason\": \"appeal\"}')",
    "auth.imports": "(file_hash, line, user_id, balance, opened) VALUES (sha256('file'), 7, $1, 250, true)",
    "auth.outbox": "(id, user_id, command, body) VALUES (gen_random_uuid(), $1, 'account.open', '{}')",
    "credits.balances": "(account_id, balance, free_credits_remaining, total_earned, total_spent, sequence, last_daily,"
    " opening_key, created_at) VALUES ($1, 0, 5, 5, 0, 1, current_date, 'k', now())",
    "credits.lots": "(account_id, id, kind, free, granted, remaining, created_at)"
    " VALUES ($1, gen_random_uuid(), 'signup', true, 5, 5, now())",
    "credits.keys": "(account_id, idempotency_key, operation, balance, free_credits_remaining, total_earned,"
    " total_spent, created_at) VALUES ($1, 'k', 'op', 0, 0, 0, 0, now())",
    "credits.refusals": "(account_id, idempotency_key, identity, code, message, details, created_at)"
    " VALUES ($1, 'k', 'i', 'forbidden', 'no', '{}', now())",
    "credits.usage_stats": "(account_id, app_id, day, uses, credits) VALUES ($1, 'chat', current_date, 1, 2)",
    "credits.purchases": "(account_id, id, package_id, credits, price_euro_cents, status, created_at)"
    " VALUES ($1, gen_random_uuid(), 'credits-500', 500, 500, 'pending', now())",
}
"""One row each of a user, where what the user does makes none."""
_TRANSACTIONS: Final = """
INSERT INTO credits.transactions (partition, position, account_id, id, sequence, type, status, amount, balance_before,
    balance_after, app_id, origin, description, metadata, idempotency_key, operation, balance,
    free_credits_remaining, total_earned, total_spent, created_at, completed_at)
SELECT 999, top.position + number, $1::uuid, gen_random_uuid(), number, 'usage', 'completed', -1, 9, 8, 'chat', 'app',
    repeat('d', $3), '{"n":  1.10}', 'key ' || number, 'op', 0, 8, 9, 1, now(), now()
FROM generate_series(1, $2::integer) AS number,
     (SELECT coalesce(max(position), 0) AS position FROM credits.transactions WHERE partition = 999) AS top
"""
"""In a partition that no worker has."""
_POSTINGS: Final = """
INSERT INTO credits.postings (partition, position, number, account_id, source, destination, lot_id, amount)
SELECT partition, position, 1, account_id, account_id::text, 'system:usage', gen_random_uuid(), 1
FROM credits.transactions WHERE account_id = $1
"""


async def _patch(http: httpx.AsyncClient, user: SignedIn, body: Any) -> httpx.Response:
    return await http.patch(ME, json=body, headers=user.headers)


async def _exported(http: httpx.AsyncClient, user: SignedIn) -> Any:
    answer = await http.get(EXPORT, headers=user.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _add_transactions(owner: asyncpg.Connection, user: SignedIn, count: int, length: int = 10) -> None:
    await owner.execute(_TRANSACTIONS, UUID(user.id), count, length)


@pytest.fixture
async def heavy(user: SignedIn, owner: asyncpg.Connection) -> AsyncGenerator[SignedIn]:
    """A user of whom more is kept than sockets hold between a server and a client that does not read."""
    await _add_transactions(owner, user, 40_000, 500)
    yield user
    await owner.execute("DELETE FROM credits.transactions WHERE account_id = $1", UUID(user.id))


async def test_users_see_themselves(http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection) -> None:
    assert ledger.opens
    email = new_email()
    body = {"email": email, "password": PASSWORD, "name": "Ada"}
    await http.post(f"{BASE}/auth/register", json=body, headers={"accept-language": "de-AT,en;q=0.5"})
    answer = await http.get(ME, headers=(await login(http, email)).headers)
    assert answer.headers["cache-control"] == "no-store"
    me = answer.json()
    assert set(me) == {"id", "email", "name", "role", "emailVerified", "createdAt", "twoFactor", "language"}
    assert (me["email"], me["name"], me["twoFactor"], me["language"]) == (email, "Ada", False, "de")
    enrolled = await enrol(http, owner)
    assert (await http.get(ME, headers=enrolled.user.headers)).json()["twoFactor"] is True


async def test_a_name_is_changed_and_cleared(http: httpx.AsyncClient, user: SignedIn) -> None:
    before = (await http.get(ME, headers=user.headers)).json()
    for name in ("Grace", None):
        changed = await _patch(http, user, {"name": name})
        assert changed.json() == before | {"name": name}
        assert (await http.get(ME, headers=user.headers)).json() == changed.json()


async def test_nothing_but_the_name_is_changed(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[58]."""
    before = await owner.fetchrow("SELECT * FROM auth.users WHERE id = $1", UUID(user.id))
    others = {"role": "admin", "emailVerified": True, "email": "x@example.com", "id": user.id, "bannedAt": None}
    problem = assert_problem(await _patch(http, user, {"name": "Eve", **others}), 422, "invalid_request")
    assert sorted(fields(problem)) == sorted(others)
    for body in ({}, {"name": ""}, {"name": 5}, {"name": "x" * 201}, {"name": "a\x00b"}):
        assert fields(assert_problem(await _patch(http, user, body), 422, "invalid_request")) == ["name"]
    assert await owner.fetchrow("SELECT * FROM auth.users WHERE id = $1", UUID(user.id)) == before


async def test_an_ended_session_sees_and_changes_nothing(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[20]: by the database, whatever the front remembers."""
    await owner.execute(
        "UPDATE auth.sessions SET ended_at = now(), ended_reason = 'revoked' WHERE user_id = $1", UUID(user.id)
    )
    for method, path in (("GET", ME), ("PATCH", ME), ("DELETE", ME), ("GET", EXPORT)):
        body = {"name": "Eve"} if method == "PATCH" else None
        refused = await http.request(method, path, json=body, headers=user.headers)
        assert_problem(refused, 401, "unauthorized")


async def test_an_export_needs_a_recent_sign_in(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    await age_sessions(owner, user)
    problem = assert_problem(await http.get(EXPORT, headers=user.headers), 403, "forbidden")
    assert problem["details"] == {"reauthenticate": True}


async def test_an_export_holds_every_table_of_users_rows(
    http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection
) -> None:
    """Read from the catalogue, so that a new table is either in it or said not to be, and why."""
    assert ledger.opens
    rows = await owner.fetch(
        "SELECT DISTINCT attrelid::regclass::text AS name FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE relnamespace IN ('auth'::regnamespace, 'credits'::regnamespace) AND relkind IN ('r', 'p')"
        " AND attname IN ('user_id', 'account_id') AND NOT attisdropped"
    )
    assert {row["name"] for row in rows} | {"auth.users"} == _SECTIONS.keys() | _WITH_OTHERS.keys()

    enrolled = await enrol(http, owner)
    for table, row in _ROWS.items():
        await owner.execute(f"INSERT INTO {table} {row}", UUID(enrolled.user.id))
    await _add_transactions(owner, enrolled.user, 1)
    await owner.execute(_POSTINGS, UUID(enrolled.user.id))
    exported = await _exported(http, enrolled.user)
    await owner.execute("DELETE FROM auth.outbox WHERE user_id = $1", UUID(enrolled.user.id))
    assert [section for section in _SECTIONS.values() if not exported[section]] == []
    assert set(exported) - set(_SECTIONS.values()) == {"exportedAt", "administration"}
    assert exported["user"]["email"] == enrolled.user.email
    assert [posting["destination"] for posting in exported["transactions"][0]["postings"]] == ["system:usage"]
    (act,) = exported["administration"]
    assert (act["type"], act["details"]) == ("user.unbanned", {"reason": "appeal"})
    assert {"user.exported", "two_factor.enabled"} <= {event["type"] for event in exported["securityEvents"]}
    await _assert_no_secrets(owner, enrolled, msgspec.json.encode(exported).decode())


async def _assert_no_secrets(owner: asyncpg.Connection, enrolled: Enrolled, exported: str) -> None:
    """[44]: no secret, no hash or seal of one, and not where an administrator sat."""
    row = await owner.fetchrow(
        "SELECT hash, sealed_secret, recovery_hashes FROM auth.passwords JOIN auth.two_factor_auth USING (user_id)"
        " WHERE user_id = $1",
        UUID(enrolled.user.id),
    )
    assert row is not None
    hashes = [row["sealed_secret"].hex(), *(one.hex() for one in row["recovery_hashes"])]
    told = [row["hash"], enrolled.user.access_token, enrolled.user.refresh_token, enrolled.totp.secret, "192.0.2.9"]
    assert len(hashes) == 11
    assert [secret for secret in (*hashes, *told, *enrolled.recovery_codes) if secret in exported] == []


async def test_an_export_is_ones_own_and_whole(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """More rows than are read at once; what an app wrote is the text that it wrote."""
    other = await sign_up(http)
    for somebody, count in ((user, 1_234), (other, 3)):
        await _add_transactions(owner, somebody, count)
    answer = await http.get(EXPORT, headers=user.headers)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="mana-export.json"'
    exported = answer.json()
    assert [one["sequence"] for one in exported["transactions"]] == list(range(1, 1_235))
    assert answer.text.count('"metadata":{"n":  1.10}') == 1_234
    assert exported["twoFactor"] is None
    assert other.id not in answer.text
    assert other.email not in answer.text


async def test_an_export_that_breaks_off_is_no_whole_one(
    http: httpx.AsyncClient, heavy: SignedIn, as_api: asyncpg.Connection
) -> None:
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'mana-api' AND state = 'idle in transaction'"
    )
    async with http.stream("GET", EXPORT, headers=heavy.headers) as answer:
        assert answer.status_code == 200
        pieces = answer.aiter_bytes()
        first = await anext(pieces)
        async with asyncio.timeout(20):
            while not await as_api.fetch(end):  # it still runs, until nobody reads what it has found
                await asyncio.sleep(0.01)
        with pytest.raises(httpx.RemoteProtocolError):
            _ = [piece async for piece in pieces]
    assert first.startswith(b'{"exportedAt":')


async def test_exports_leave_connections_to_others(http: httpx.AsyncClient, heavy: SignedIn) -> None:
    """Clients that do not read hold two connections at the most."""
    async with AsyncExitStack() as unread:
        for _ in range(2):
            answer = await unread.enter_async_context(http.stream("GET", EXPORT, headers=heavy.headers))
            assert answer.status_code == 200
        assert_problem(await http.get(EXPORT, headers=heavy.headers), 503, "overloaded")
        assert (await http.get(ME, headers=heavy.headers)).status_code == 200
    async with asyncio.timeout(20):
        while (answer := await http.get(EXPORT, headers=heavy.headers)).status_code == 503:
            await asyncio.sleep(0.1)
    assert len(answer.json()["transactions"]) == 40_000, "whoever went away has made room"
