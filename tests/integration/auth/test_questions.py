"""What the front asks before it knows a user: narrow questions, one answer each."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.auth.rows import acting, add_session, add_token, add_user, new_id
from tests.integration.ledger.server import Database

DEVICE = bytes(32)


async def test_who_has_an_address_and_whether_the_device_is_known(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    user = await add_user(owner, "ada@example.com")
    ask = "SELECT * FROM auth.find_sign_in($1, $2)"
    found = await front.fetchrow(ask, "ada@example.com", DEVICE)
    assert found is not None
    assert (found["user_id"], found["banned"], found["credential_epoch"], found["known_device"]) == (
        user,
        False,
        0,
        False,
    )
    assert found["password_hash"].startswith("$argon2id$")

    async with acting(front, user):
        await front.execute("INSERT INTO auth.devices (user_id, device_hash) VALUES ($1, $2)", user, DEVICE)
    await owner.execute("UPDATE auth.users SET banned_at = now(), credential_epoch = 3")
    found = await front.fetchrow(ask, "ada@example.com", DEVICE)
    assert found is not None
    assert (found["banned"], found["credential_epoch"], found["known_device"]) == (True, 3, True)
    unknown_device = await front.fetchrow(ask, "ada@example.com", None)
    assert unknown_device is not None
    assert unknown_device["known_device"] is False
    assert await front.fetch(ask, "nobody@example.com", DEVICE) == []


async def test_another_users_device_is_not_known(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    ada, eve = await add_user(owner, "ada@example.com"), await add_user(owner, "eve@example.com")
    async with acting(front, eve):
        await front.execute("INSERT INTO auth.devices (user_id, device_hash) VALUES ($1, $2)", eve, DEVICE)
    found = await front.fetchrow("SELECT * FROM auth.find_sign_in('ada@example.com', $1)", DEVICE)
    assert found is not None
    assert found["known_device"] is False
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with acting(front, eve):
            await front.execute("INSERT INTO auth.devices (user_id, device_hash) VALUES ($1, $2)", ada, DEVICE)


@pytest.mark.parametrize(
    ("change", "live"),
    [
        ("SELECT", True),
        ("UPDATE auth.sessions SET ended_at = now(), ended_reason = 'logout'", False),
        ("UPDATE auth.sessions SET expires_at = created_at + interval '1 ms'", False),
        ("UPDATE auth.users SET banned_at = now()", False),
        ("DELETE FROM auth.sessions", False),
    ],
)
async def test_a_session_is_live(owner: asyncpg.Connection, front: asyncpg.Connection, change: str, live: bool) -> None:
    user = await add_user(owner)
    session = await add_session(owner, user)
    await owner.execute(change)
    assert await front.fetchval("SELECT auth.is_session_live($1, $2)", session, user) is live
    assert await front.fetchval("SELECT auth.is_session_live($1, $2)", session, new_id()) is False, "another's"


async def test_whose_token_it_is_by_purpose(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    user = await add_user(owner)
    token = await add_token(owner, user, "password_reset", "a@example.com")
    presented = await owner.fetchval("SELECT token_hash FROM auth.verification_tokens WHERE id = $1", token)
    assert await front.fetchval("SELECT auth.find_token_owner('password_reset', $1)", presented) == user
    assert await front.fetchval("SELECT auth.find_token_owner('email_verify', $1)", presented) is None


async def test_a_types_name_in_the_callers_schema_runs_nothing_as_the_owner(
    database: Database, owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """Where a database lets everybody make temporary objects, as a new one does."""
    administrator = await asyncpg.connect(database.admin)
    await administrator.execute(f"GRANT TEMPORARY ON DATABASE {database.name} TO mana_api")
    await administrator.close()
    await front.execute(
        "CREATE FUNCTION pg_temp.spy(pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'run as %', current_user; END $$;"
        "CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.spy(VALUE));"
        "GRANT USAGE ON TYPE pg_temp.text TO PUBLIC; GRANT EXECUTE ON FUNCTION pg_temp.spy TO PUBLIC"
    )
    user = await add_user(owner)
    await add_session(owner, user)
    async with acting(front, user):
        await front.execute("UPDATE auth.sessions SET ended_at = now(), ended_reason = 'logout'")
    assert await owner.fetchval("SELECT count(*) FROM auth.revocations") == 1


async def test_what_passwords_are_hashed_with(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    hashes = [
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        "$argon2id$v=19$m=19456,t=2,p=1$dGxhcw$aHNhaA",
        "$2b$12$saltsaltsaltsaltsaltsahashhashhash",
        "$scrypt$ln=16,r=8,p=1$c2FsdA$aGFzaA",
    ]
    for stored in hashes:
        user = await add_user(owner)
        await owner.execute("UPDATE auth.passwords SET hash = $2 WHERE user_id = $1", user, stored)
    kinds = {row["kind"]: row["users"] for row in await front.fetch("SELECT * FROM auth.count_password_kinds()")}
    assert kinds == {"$argon2id$v=19$m=19456,t=2,p=1": 2, "$2b$12": 1, "$scrypt$ln=16,r=8,p=1": 1}
