"""What users take along of themselves: all that is kept. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from tests.integration.api.administrators import administrator, done
from tests.integration.api.authenticator import Enrolled, age_sessions, enrol
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.users import (
    BASE,
    SignedIn,
    assert_problem,
    sign_up,
)

EXPORT = f"{BASE}/auth/me/export"
HEAVY = 25_000
"""Transactions of some half a kilobyte, of which sockets hold a part alone."""

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
    "auth.api_keys": "apiKeys",
    "auth.outbox": "pendingCommands",
    "credits.balances": "balance",
    "credits.lots": "lots",
    "credits.transactions": "transactions",
    "credits.keys": "operations",
    "credits.refusals": "refusals",
    "credits.usage_stats": "usage",
    "credits.purchases": "purchases",
    "credits.customers": "stripeCustomers",
    "credits.topups": "topUp",
    "credits.topup_payments": "topUpPayments",
}
"""Where an export holds the rows of each table that has a user's rows."""
_WITH_OTHERS: Final = {
    "credits.postings": "with their transactions",
    "credits.usage_progress": "how many of the transactions the statistics know",
    "auth.outbox_events": "what subscribers are about to be told: it is with the user and the sessions",
    "auth.erasures": "of those who are deleted: nobody is left to ask",
    "credits.stripe_events": "what Stripe told of the user's purchases: its facts are with these",
    "credits.topup_stops": "until subscribers are told: the reason is with the top-up",
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
    "auth.api_keys": "(id, user_id, name, hash, scopes)"
    " VALUES (left(md5(random()::text), 12), $1, 'backup', sha256('key'), '{credits:read}')",
    "auth.outbox": "(id, user_id, command, body) VALUES (gen_random_uuid(), $1, 'account.open', '{}')",
    "credits.balances": "(account_id, balance, free_credits_remaining, total_earned, total_spent, sequence, last_daily,"
    " opening_key, created_at) VALUES ($1, 0, 5, 5, 0, 1, current_date, 'k', now())",
    "credits.lots": "(account_id, id, kind, free, granted, remaining, created_at)"
    " VALUES ($1, gen_random_uuid(), 'signup', true, 5, 5, now())",
    "credits.keys": "(account_id, idempotency_key, operation, balance, free_credits_remaining, total_earned,"
    " total_spent, created_at) VALUES ($1, 'k', 'op', 0, 0, 0, 0, now())",
    "credits.refusals": "(account_id, idempotency_key, identity, code, message, details, created_at)"
    " VALUES ($1, 'k', 'i', 'forbidden', 'no', '{}', now())",
    "credits.usage_stats": "(account_id, day, hour, app_id, model, uses, credits, refunds, refunded)"
    " VALUES ($1, current_date, 9, 'chat', 'small', 1, 2, 0, 0)",
    "credits.purchases": "(account_id, id, package_id, credits, price_euro_cents, amount, status, created_at)"
    " VALUES ($1, gen_random_uuid(), 'credits-500', 500, 500, 500, 'pending', now())",
    "credits.customers": "(account_id, livemode, stripe_customer_id) VALUES ($1, false, 'cus_1')",
    "credits.topups": "(account_id, below, package_id, most_per_month, stripe_payment_method_id, livemode)"
    " VALUES ($1, 10, 'credits-500', 3, 'pm_1', false)",
    "credits.topup_payments": "(purchase_id, account_id, livemode, stripe_customer_id, stripe_payment_method_id)"
    " SELECT id, account_id, false, 'cus_1', 'pm_1' FROM credits.purchases WHERE account_id = $1",
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
_MANY: Final = """
WITH many AS (SELECT generate_series(1, 1000) AS n),
devices AS (INSERT INTO auth.devices (user_id, device_hash) SELECT $1::uuid, sha256(n::text::bytea) FROM many),
refusals AS (
    INSERT INTO credits.refusals (account_id, idempotency_key, identity, code, message, details, created_at)
    SELECT $1, 'k' || n % 100, 'i' || n, 'forbidden', 'no', '{}', now() FROM generate_series(1, 1200) AS n),
mails AS (
    INSERT INTO auth.mails (id, kind, user_id, credential_epoch, due_at)
    SELECT gen_random_uuid(), 'verify', $1, 0, 'infinity' FROM many)
INSERT INTO credits.usage_stats (account_id, day, hour, app_id, model, uses, credits, refunds, refunded)
SELECT $1, current_date - n / 12, n % 2, 'app' || n % 3, 'm' || n % 4 - 1, 1, 1, 0, 0 FROM generate_series(1, 1100) AS n
"""
"""Lists that are in order of one column and of several, of which one is not told."""
_POSTINGS: Final = """
INSERT INTO credits.postings (partition, position, number, account_id, source, destination, lot_id, amount)
SELECT partition, position, 1, account_id, account_id::text, 'system:usage', gen_random_uuid(), 1
FROM credits.transactions WHERE account_id = $1
"""


async def _exported(http: httpx.AsyncClient, user: SignedIn) -> Any:
    answer = await http.get(EXPORT, headers=user.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _add_transactions(owner: asyncpg.Connection, user: SignedIn, count: int, length: int = 10) -> None:
    await owner.execute(_TRANSACTIONS, UUID(user.id), count, length)


@pytest.fixture
async def heavy(user: SignedIn, owner: asyncpg.Connection) -> AsyncGenerator[SignedIn]:
    """A user of whom more is kept than sockets hold between a server and a client that does not read."""
    await _add_transactions(owner, user, HEAVY, 500)
    yield user
    await owner.execute("DELETE FROM credits.transactions WHERE account_id = $1", UUID(user.id))


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
    assert set(exported) - set(_SECTIONS.values()) == {"exportedAt", "administration", "actsOnOthers"}
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
    hashes.append(hashlib.sha256(b"key").hexdigest())
    told = [row["hash"], enrolled.user.access_token, enrolled.user.refresh_token, enrolled.totp.secret, "192.0.2.9"]
    assert len(hashes) == 12
    assert [secret for secret in (*hashes, *told, *enrolled.recovery_codes) if secret in exported] == []


async def test_an_export_is_ones_own_and_whole(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """More rows than are read at once, and just as many; what an app wrote is the text that it wrote."""
    other = await sign_up(http)
    await owner.execute(_MANY, UUID(user.id))
    for somebody, count in ((user, 1_234), (other, 3)):
        await _add_transactions(owner, somebody, count)
    answer = await http.get(EXPORT, headers=user.headers)
    await owner.execute("DELETE FROM auth.mails WHERE user_id = $1", UUID(user.id))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="mana-export.json"'
    exported = answer.json()
    assert [one["sequence"] for one in exported["transactions"]] == list(range(1, 1_235))
    assert answer.text.count('"metadata":{"n":  1.10}') == 1_234
    assert exported["twoFactor"] is None
    for section, count in (("devices", 1_000), ("refusals", 1_200), ("mails", 1_001), ("usage", 1_100)):
        assert len(exported[section]) == count, section
    assert len({mail["id"] for mail in exported["mails"]}) == 1_001
    assert not [name for name in exported["refusals"][0] | exported["devices"][0] if name.startswith("_")]
    assert other.id not in answer.text
    assert other.email not in answer.text


@pytest.mark.parametrize(
    ("spoil", "mend"),
    [
        (
            "ALTER TABLE credits.purchases RENAME TO purchases_gone",
            "ALTER TABLE credits.purchases_gone RENAME TO purchases",
        ),
        ("DELETE FROM auth.sessions WHERE user_id = '{id}'; DELETE FROM auth.users WHERE id = '{id}'", "SELECT 1"),
    ],
    ids=["fault", "deleted"],
)
async def test_an_export_that_breaks_off_is_no_whole_one(
    http: httpx.AsyncClient, heavy: SignedIn, owner: asyncpg.Connection, spoil: str, mend: str
) -> None:
    """By a fault, or because its user is gone."""
    try:
        async with http.stream("GET", EXPORT, headers=heavy.headers) as answer:
            assert answer.status_code == 200
            pieces = answer.aiter_bytes()
            first = await anext(pieces)
            await owner.execute(spoil.format(id=heavy.id))  # most of it is unread, and so not sent
            with pytest.raises(httpx.RemoteProtocolError):
                _ = [piece async for piece in pieces]
        assert first.startswith(b'{"exportedAt":')
    finally:
        await owner.execute(mend)


async def test_who_reads_an_export_slowly_holds_up_nobody(
    http: httpx.AsyncClient, heavy: SignedIn, owner: asyncpg.Connection
) -> None:
    """However many do: no transaction stays open for them, and others' exports are made meanwhile."""
    held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mana-api' AND xact_start IS NOT NULL"
    async with AsyncExitStack() as unread:
        for _ in range(3):
            answer = await unread.enter_async_context(http.stream("GET", EXPORT, headers=heavy.headers))
            assert answer.status_code == 200
        async with asyncio.timeout(20):
            while await owner.fetchval(held):  # they read on until nobody takes what they have found
                await asyncio.sleep(0.05)
        assert len((await _exported(http, heavy))["transactions"]) == HEAVY


async def test_an_administrators_acts_on_others_are_the_administrators_too(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """When and from where, but not whom they were about."""
    admin = await administrator(http, owner)
    await done(http, admin, "GET", f"/users/{user.id}")
    answer = await http.get(EXPORT, headers=admin.headers)
    (act,) = answer.json()["actsOnOthers"]
    assert set(act) == {"id", "type", "address", "userAgent", "createdAt"}
    assert (act["type"], act["address"]) == ("admin.viewed", "127.0.0.1")
    assert user.id not in answer.text
    assert user.email not in answer.text
    assert (await _exported(http, user))["actsOnOthers"] == []
