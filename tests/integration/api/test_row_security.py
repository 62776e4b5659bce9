"""The front's role at the database sees its user's rows, and may do little to them."""

from __future__ import annotations

import asyncpg
import httpx
import pytest

from ops.instance import Instance
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.users import SignedIn, sign_up

_USERS_ROWS = {
    "auth.users": "id",
    "auth.passwords": "user_id",
    "auth.sessions": "user_id",
    "auth.refresh_tokens": "user_id",
    "auth.security_events": "user_id",
}
_NOBODYS_ROWS = {
    "credits.packages",
    "credits.package_prices",
    "credits.partitions",
    "credits.workers",
    "credits.topup_rounds",
    "credits.apps",
    "credits.usage_reader",
    "auth.app_secrets",
}
_CALLERS = {
    "mana_api": (
        *("find_sign_in", "find_refresh_token_owner", "find_token_owner", "list_ended_sessions", "is_session_live"),
        *("count_password_kinds", "confirm_address", "move_address", "is_last_admin", "delete_this_user"),
        *("admin_list_users", "admin_get_user", "admin_has_two_factor", "admin_lock_user", "admin_set_ban"),
        *("admin_set_role", "admin_end_sessions", "admin_list_sessions", "admin_list_events", "admin_add_event"),
        *("admin_add_command", "list_acts_upon_this_user", "list_acts_of_this_user", "list_imports_of_this_user"),
        *("admin_lock_packages", "admin_put_package", "admin_retire_package", "admin_get_purchase"),
        *("admin_list_apps", "admin_lock_apps", "admin_add_app", "admin_change_app", "admin_revoke_app"),
        *("admin_add_app_secret", "admin_revoke_app_secret", "admin_end_api_keys"),
        *("find_api_key", "find_app", "find_service", "note_app_secret_use"),
    ),
    "mana_worker": ("pause_app_login",),
    "mana_payments": ("hold_payer", "order_topup_mail"),
    "mana_mail": ("find_mail_recipient", "add_mail_token"),
    "mana_relay": ("sweep", "sweep_events", "sweep_sessions", "erase_some", "put_off_erasure"),
    "": (
        "require_admin",
        "admin_lock_other",
        "announce_end_of_session",
        "tell_of_user",
        "tell_of_session",
        "revoke_api_keys_of_banned",
    ),
}
"""Which role may call a function that runs with the owner's rights; "": none but the owner's own functions."""
_LEDGER = {
    "credits.balances": "(account_id, balance, free_credits_remaining, total_earned, total_spent, sequence, last_daily,"
    " opening_key, created_at) VALUES ($1::text::uuid, 0, 5, 5, 0, 0, current_date, 'k', now())",
    "credits.lots": "(account_id, id, kind, free, granted, remaining, created_at)"
    " VALUES ($1::text::uuid, gen_random_uuid(), 'signup', true, 5, 5, now())",
    "credits.refusals": "(account_id, idempotency_key, identity, code, message, details, created_at)"
    " VALUES ($1::text::uuid, 'k', 'i', 'forbidden', 'no', '{}', now())",
}


async def _as(connection: asyncpg.Connection, user_id: str, query: str) -> list[asyncpg.Record]:
    async with connection.transaction():
        await connection.execute("SELECT set_config('app.user_id', $1, true)", user_id)
        return await connection.fetch(query)


@pytest.mark.parametrize(("table", "column"), _USERS_ROWS.items())
async def test_a_user_sees_their_own_rows_only(
    http: httpx.AsyncClient, user: SignedIn, as_api: asyncpg.Connection, table: str, column: str
) -> None:
    await sign_up(http)
    rows = await _as(as_api, user.id, f"SELECT {column}::text AS whose FROM {table}")
    assert {row["whose"] for row in rows} == {user.id}


@pytest.mark.parametrize(("table", "insert"), _LEDGER.items())
async def test_the_ledger_shows_a_user_their_own_rows_only(
    http: httpx.AsyncClient,
    user: SignedIn,
    owner: asyncpg.Connection,
    as_api: asyncpg.Connection,
    table: str,
    insert: str,
) -> None:
    other = await sign_up(http)
    for somebody in (user, other):
        await owner.execute(f"INSERT INTO {table} {insert}", somebody.id)
    rows = await _as(as_api, user.id, f"SELECT account_id::text AS whose FROM {table}")
    assert {row["whose"] for row in rows} == {user.id}


@pytest.mark.parametrize("table", [*_USERS_ROWS, *_LEDGER, "auth.outbox", "credits.transactions", "credits.purchases"])
async def test_without_a_user_nothing_is_seen(user: SignedIn, as_api: asyncpg.Connection, table: str) -> None:
    assert await as_api.fetch(f"SELECT 1 FROM {table}") == []
    await _as(as_api, user.id, "SELECT 1")
    assert await as_api.fetch(f"SELECT 1 FROM {table}") == [], "the setting outlived its transaction"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE auth.users SET role = 'admin'",
        "UPDATE auth.users SET email_verified = true",
        "UPDATE auth.users SET banned_at = NULL",
        "DELETE FROM auth.users",
        "UPDATE auth.security_events SET type = 'x'",
        "DELETE FROM auth.security_events",
        "TRUNCATE auth.security_events",
        "DELETE FROM auth.sessions",
        "UPDATE auth.sessions SET expires_at = now() + interval '1 year'",
        "DELETE FROM auth.refresh_tokens",
        "DELETE FROM auth.signing_keys",
        "UPDATE auth.signing_keys SET algorithm = 'RS256'",
        "UPDATE auth.users SET email_key = 'x@y'",
        "UPDATE auth.users SET ban_reason = 'x'",
        "UPDATE auth.verification_tokens SET expires_at = 'tomorrow'",
        "UPDATE auth.verification_tokens SET email = 'x@y'",
        "UPDATE auth.verification_tokens SET credential_epoch = 1",
        "INSERT INTO auth.security_events (id, type, created_at) VALUES (gen_random_uuid(), 'x', '2020-01-01')",
        "CREATE TEMPORARY TABLE mine (id int)",
        "DELETE FROM auth.mails",
        "SELECT 1 FROM auth.revocations",
        "SELECT 1 FROM auth.erasures",
        "SELECT 1 FROM auth.imports",
        "SELECT 1 FROM credits.suspensions",
        "SELECT 1 FROM credits.stripe_events",
        "SELECT 1 FROM credits.forgotten_customers",
        "DELETE FROM credits.forgotten_customers",
        "SELECT 1 FROM credits.late_payments",
        "UPDATE credits.topups SET purchase_id = NULL",
        "UPDATE credits.topup_payments SET state = 'over'",
        "SELECT credits.begin_topup(gen_random_uuid(), gen_random_uuid())",
        "UPDATE credits.packages SET credits = 1000000",
        "SELECT credits.put_package('credits-500', 'n', 'd', 1000000, 1, NULL, 1, '[]')",
        "SELECT credits.add_app('x', 'x', '{admin}', NULL, NULL)",
        "SELECT credits.change_app('x', 'x', '{admin}', NULL, NULL)",
        "SELECT credits.revoke_app('x')",
        "SELECT auth.add_app_secret('x', 'x', '')",
        "SELECT auth.revoke_app_secret('x', 'x')",
        "SELECT auth.admin_add_app('x', 'x', '{admin}', NULL, NULL)",
        "SELECT auth.admin_add_app_secret('x', 'x', '')",
        "INSERT INTO credits.apps (id, name, permissions) VALUES ('x', 'x', '{admin}')",
        "SELECT hash FROM auth.app_secrets",
        "SELECT auth.require_admin()",
        "UPDATE auth.outbox SET body = '{}'",
        "UPDATE credits.balances SET balance = 5",
        "INSERT INTO auth.users (id, email, email_key, role) VALUES (gen_random_uuid(), 'a@b', 'a@b', 'admin')",
        "CREATE TABLE auth.mine (id int)",
        "SET ROLE mana_owner",
        "ALTER TABLE auth.users DISABLE ROW LEVEL SECURITY",
    ],
)
async def test_what_the_front_may_not_do(user: SignedIn, as_api: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _as(as_api, user.id, statement)


async def test_nobody_writes_rows_for_another(
    http: httpx.AsyncClient, user: SignedIn, as_api: asyncpg.Connection
) -> None:
    other = await sign_up(http)
    statements = [
        f"INSERT INTO auth.outbox (id, user_id, command, body) VALUES (gen_random_uuid(), '{other.id}', 'a.b', '{{}}')",
        f"INSERT INTO auth.security_events (id, user_id, type) VALUES (gen_random_uuid(), '{other.id}', 'x')",
        f"INSERT INTO auth.passwords (user_id, hash) VALUES ('{other.id}', '$argon2id$')",
        f"INSERT INTO auth.sessions (id, user_id, expires_at) VALUES (gen_random_uuid(), '{other.id}', 'tomorrow')",
    ]
    for statement in statements:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await _as(as_api, user.id, statement)


async def test_the_front_sells_packages_at_their_price_alone(
    user: SignedIn, as_api: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        "INSERT INTO credits.package_prices (package_id, currency, amount) VALUES ('credits-500', 'usd', 550)"
    )
    try:
        for good in ({}, {"amount": "550", "currency": "'usd'"}):
            await _as(as_api, user.id, _sale(user, **good))
        for bad in (
            {"credits": "501"},
            {"price_euro_cents": "499"},
            {"amount": "499"},
            {"currency": "'usd'"},
            {"currency": "'gbp'"},
            {"amount": "500", "currency": "'usd'", "price_euro_cents": "550"},
            {"package_id": "'credits-1000'"},
            {"package_id": "'none'"},
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await _as(as_api, user.id, _sale(user, **bad))
        await owner.execute("UPDATE credits.packages SET active = false WHERE id = 'credits-500'")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await _as(as_api, user.id, _sale(user))
    finally:
        await owner.execute("UPDATE credits.packages SET active = true WHERE id = 'credits-500'")
        await owner.execute("DELETE FROM credits.package_prices")


def _sale(user: SignedIn, **values: str) -> str:
    """A purchase of credits-500, which are 500 for 5 euro."""
    row = {
        "account_id": f"'{user.id}'",
        "id": "gen_random_uuid()",
        "package_id": "'credits-500'",
        "credits": "500",
        "price_euro_cents": "500",
        "amount": "500",
        "currency": "'eur'",
        "status": "'pending'",
        "origin": "'checkout'",
        "created_at": "now()",
        **values,
    }
    return f"INSERT INTO credits.purchases ({', '.join(row)}) VALUES ({', '.join(row.values())})"


async def test_an_ended_session_cannot_be_brought_back(
    user: SignedIn, as_api: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        "UPDATE auth.sessions SET ended_at = now(), ended_reason = 'logout' WHERE user_id = $1::text::uuid", user.id
    )
    revive = "UPDATE auth.sessions SET ended_at = NULL, ended_reason = NULL RETURNING 1"
    assert await _as(as_api, user.id, revive) == []


async def test_the_relay_reads_and_removes_the_outbox_and_nothing_else(
    http: httpx.AsyncClient, ledger: ScriptedLedger, servers: Instance
) -> None:
    connection = await asyncpg.connect(servers.addresses.database_as("mana_relay"))
    try:
        await connection.fetch("SELECT * FROM auth.outbox")
        for table in ("auth.users", "auth.passwords", "auth.signing_keys"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE auth.outbox SET body = '{}'")
    finally:
        await connection.close()


async def test_the_reader_sees_everybody_and_no_secrets(user: SignedIn, servers: Instance) -> None:
    connection = await asyncpg.connect(servers.env["MANA_DATABASE_READONLY_URL"])
    try:
        assert await connection.fetchval("SELECT count(*) > 1 FROM auth.users")
        for column, table in (
            ("hash", "passwords"),
            ("sealed_private_key", "signing_keys"),
            ("token_hash", "refresh_tokens"),
            ("sealed_secret", "two_factor_auth"),
            ("device_hash", "verification_tokens"),
            ("device_id", "sessions"),
            ("hash", "app_secrets"),
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT {column} FROM auth.{table}")
    finally:
        await connection.close()


async def test_every_table_of_users_rows_has_row_level_security(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT oid::regclass::text AS name, relrowsecurity AS secured FROM pg_class"
        " WHERE relnamespace IN ('auth'::regnamespace, 'credits'::regnamespace) AND relkind IN ('r', 'p')"
    )
    assert {"auth.users", "credits.transactions"} <= {row["name"] for row in rows}
    assert {row["name"] for row in rows if not row["secured"]} == _NOBODYS_ROWS
    owned = await owner.fetch(
        "SELECT attrelid::regclass::text AS name FROM pg_attribute"
        " WHERE attrelid = ANY($1::regclass[]) AND attname IN ('account_id', 'user_id')",
        sorted(_NOBODYS_ROWS),
    )
    assert owned == []


async def test_the_front_reads_few_tables_of_nobodys_rows(as_api: asyncpg.Connection) -> None:
    """Packages and apps; of an app's secret never the hash."""
    open_to_it = {"credits.packages", "credits.package_prices", "credits.apps", "auth.app_secrets"}
    for columns in (*(f"1 FROM {table}" for table in _NOBODYS_ROWS - open_to_it), "hash FROM auth.app_secrets"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_api.fetch(f"SELECT {columns}")


async def test_the_owners_functions_are_narrow(owner: asyncpg.Connection) -> None:
    """Each that runs with the owner's rights has a fixed search path, and only who needs it may call it."""
    rows = await owner.fetch(
        "SELECT proname, proconfig, proacl::text AS acl FROM pg_proc"
        " WHERE prosecdef AND (pronamespace = 'auth'::regnamespace"
        "   OR pronamespace = 'credits'::regnamespace AND prorettype <> 'trigger'::regtype)"
    )
    assert [row["proname"] for row in rows if "search_path=pg_catalog, pg_temp" not in row["proconfig"]] == []
    callers = {row["proname"]: _grantees(row["acl"]) - {"mana_owner"} for row in rows}
    assert callers == {name: {role} if role else set[str]() for role, names in _CALLERS.items() for name in names}


def _grantees(acl: str) -> set[str]:
    """Roles that may call it; "" is everybody."""
    return {entry.split("=")[0] for entry in acl.strip("{}").split(",")}
