"""What time makes useless goes, in small steps; what a deleted user's apps wrote is blanked, figures stay."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import pytest

from tests.integration.auth.rows import acting, add_mail, add_session, add_token, add_user, new_id
from tests.integration.ledger.server import Database

SWEEP = "SELECT auth.sweep($1, $2)"
KINDS = ("seals", "sessions", "tokens", "revocations", "devices", "mails")
ERASE = "SELECT auth.erase_some($1)"
TRANSACTION = """
INSERT INTO credits.transactions (partition, position, account_id, id, sequence, type, status, amount, balance_before,
    balance_after, app_id, origin, description, metadata, idempotency_key, operation, reason, balance,
    free_credits_remaining, total_earned, total_spent, created_at, completed_at)
VALUES (0, $2, $1, gen_random_uuid(), $2, 'usage', 'completed', -1, 9, 8, 'chat', 'app', 'Ada asked', '{"name": "Ada"}',
    'key ' || $2::bigint, 'op', 'Ada', 0, 8, 9, 1, now(), now())
"""


async def _seal(owner: asyncpg.Connection, session: UUID, rotated: str) -> None:
    await owner.execute(
        "INSERT INTO auth.refresh_tokens (token_hash, session_id, user_id, generation, sealed_successor, expires_at)"
        " SELECT sha256(id::text::bytea), id, user_id, 1, 'sealed', expires_at FROM auth.sessions WHERE id = $1",
        session,
    )
    await owner.execute(
        "UPDATE auth.sessions SET generation = 2, rotated_at = now() - $2::text::interval WHERE id = $1",
        session,
        rotated,
    )


async def test_seals_go_when_no_grace_is_left(owner: asyncpg.Connection, relay: asyncpg.Connection) -> None:
    user = await add_user(owner)
    fresh, old, ended = [await add_session(owner, user) for _ in range(3)]
    for session, rotated in ((fresh, "59 s"), (old, "61 s"), (ended, "1 s")):
        await _seal(owner, session, rotated)
    await owner.execute("UPDATE auth.sessions SET ended_at = now(), ended_reason = 'logout' WHERE id = $1", ended)
    assert await relay.fetchval(SWEEP, "seals", 100) == 2
    sealed = await owner.fetch("SELECT session_id FROM auth.refresh_tokens WHERE sealed_successor IS NOT NULL")
    assert [row["session_id"] for row in sealed] == [fresh]
    assert await relay.fetchval(SWEEP, "seals", 100) == 0


async def test_what_is_over_goes_and_what_is_not_stays(owner: asyncpg.Connection, relay: asyncpg.Connection) -> None:
    user = await add_user(owner)
    lives = ("1 day", "-23 h", "1 day", "-25 h", "1 day")
    sessions = [await add_session(owner, user, life) for life in lives]
    end = "UPDATE auth.sessions SET ended_at = now() - $2::text::interval, ended_reason = 'logout' WHERE id = $1"
    await owner.execute(end, sessions[2], "25 h")
    await owner.execute(end, sessions[4], "27 h")
    await owner.execute("DELETE FROM auth.revocations")
    tokens = [await add_token(owner, user, "email_verify", life=life) for life in ("1 h", "-23 h", "-25 h")]
    mails = [await add_mail(owner, "verify", user) for _ in range(2)]
    await owner.execute("UPDATE auth.mails SET created_at = now() - interval '73 h' WHERE id = $1", mails[1])
    await owner.execute(
        "INSERT INTO auth.devices (user_id, device_hash, last_seen_at) VALUES"
        " ($1, sha256('new'), now() - interval '179 days'), ($1, sha256('old'), now() - interval '181 days')",
        user,
    )
    revoked = new_id()
    await owner.execute(
        "INSERT INTO auth.revocations VALUES ($1, now() - interval '25 h'), ($2, now() - interval '27 h')",
        revoked,
        new_id(),
    )
    await owner.execute(
        "INSERT INTO auth.signing_keys (kid, algorithm, public_jwk, retired_at, verify_until) VALUES"
        " (repeat('n', 43), 'EdDSA', '{}', now() - interval '1 h', now() + interval '1 h'),"
        " (repeat('o', 43), 'EdDSA', '{}', now() - interval '1 h', now() - interval '1 s')"
    )
    assert {kind: await relay.fetchval(SWEEP, kind, 100) for kind in KINDS} == {
        "seals": 0,
        "sessions": 2,
        "tokens": 1,
        "revocations": 1,
        "devices": 1,
        "mails": 1,
    }

    async def left(column: str, table: str) -> set[object]:
        return {row[0] for row in await owner.fetch(f"SELECT {column} FROM auth.{table}")}

    assert await left("id", "sessions") == set(sessions[:3])
    assert await left("id", "verification_tokens") == set(tokens[:2])
    assert await left("id", "mails") == {mails[0]}
    assert await left("session_id", "revocations") == {revoked}
    assert await left("kid", "signing_keys") == {"n" * 43, "o" * 43}, "withdrawn keys are remembered for good"
    assert await owner.fetchval("SELECT device_hash = sha256('new') FROM auth.devices") is True


async def test_a_sweep_takes_small_steps(owner: asyncpg.Connection, relay: asyncpg.Connection) -> None:
    user = await add_user(owner)
    for _ in range(5):
        await add_session(owner, user, "-25 h")
    assert [await relay.fetchval(SWEEP, "sessions", 2) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_session_of_many_tokens_goes_in_small_steps(
    owner: asyncpg.Connection, relay: asyncpg.Connection
) -> None:
    session = await add_session(owner, await add_user(owner), "-25 h")
    await owner.execute(
        "INSERT INTO auth.refresh_tokens (token_hash, session_id, user_id, generation, created_at, expires_at)"
        " SELECT sha256(number::text::bytea), id, user_id, number, created_at, expires_at"
        " FROM auth.sessions, generate_series(1, 5) AS number WHERE id = $1",
        session,
    )
    assert [await relay.fetchval(SWEEP, "sessions", 2) for _ in range(4)] == [2, 2, 2, 0], "the last with its session"
    assert await owner.fetch("SELECT 1 FROM auth.sessions") == []


async def test_one_sweeps_at_a_time(database: Database, owner: asyncpg.Connection, relay: asyncpg.Connection) -> None:
    await add_session(owner, await add_user(owner), "-25 h")
    other = await asyncpg.connect(database.url("mana_relay"))
    async with other.transaction():
        await other.fetchval(SWEEP, "mails", 1)
        assert await relay.fetchval(SWEEP, "sessions", 1, timeout=8) == 0
    await other.close()
    assert await relay.fetchval(SWEEP, "sessions", 1) == 1


async def test_no_other_kind_is_swept(relay: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.PostgresError, match="case not found"):
        await relay.fetchval(SWEEP, "users", 1)


async def test_a_sweep_waits_for_nobody(
    owner: asyncpg.Connection, relay: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    user = await add_user(owner)
    session = await add_session(owner, user, "-25 h")
    async with acting(front, user):
        await front.fetchval("SELECT id FROM auth.sessions WHERE id = $1 FOR UPDATE", session)
        assert await relay.fetchval(SWEEP, "sessions", 10, timeout=8) == 0
    assert await relay.fetchval(SWEEP, "sessions", 10) == 1


async def _transactions(owner: asyncpg.Connection, account: UUID) -> list[tuple[object, ...]]:
    texts = "SELECT description, metadata, reason FROM credits.transactions WHERE account_id = $1 ORDER BY sequence"
    rows = await owner.fetch(texts, account)
    return [tuple(row) for row in rows]


async def test_a_deleted_users_data_goes_and_the_ledger_keeps_its_numbers(
    owner: asyncpg.Connection, front: asyncpg.Connection, relay: asyncpg.Connection
) -> None:
    """[70]."""
    user, other = await add_user(owner, "ada@example.com"), await add_user(owner)
    await add_session(owner, user)
    await add_token(owner, user, "email_verify", "ada@example.com")
    await add_mail(owner, "verify", user)
    farewell = await add_mail(owner, "account_deleted", email="ada@example.com")
    await owner.execute(
        "INSERT INTO auth.security_events (id, user_id, type, address, user_agent, details)"
        " VALUES (gen_random_uuid(), $1, 'sign_in.succeeded', '192.0.2.1', 'curl', '{}')",
        user,
    )
    await owner.execute("INSERT INTO auth.imports VALUES (sha256('file'), 1, $1, 0, true)", user)
    for position, account in enumerate([user] * 5 + [other], start=1):
        await owner.execute(TRANSACTION, account, position)
    figures = "SELECT sum(amount), max(balance_after), count(*) FROM credits.transactions"
    before = await owner.fetchrow(figures)

    async with acting(front, user):
        await front.execute("SELECT auth.delete_this_user()")
    assert await owner.fetchval("SELECT count(*) FROM auth.users") == 1
    for table in ("sessions", "passwords", "verification_tokens", "devices"):
        assert await owner.fetchval(f"SELECT count(*) FROM auth.{table} WHERE user_id = $1", user) == 0
    assert [row["id"] for row in await owner.fetch("SELECT id FROM auth.mails")] == [farewell]
    assert await owner.fetchval("SELECT count(*) FROM auth.imports WHERE user_id = $1", user) == 1, "not imported again"
    assert await owner.fetchval("SELECT reason FROM credits.suspensions WHERE account_id = $1", user) == "deleted"

    assert await relay.fetchval(ERASE, 2) is True
    told = await owner.fetchrow("SELECT * FROM auth.security_events WHERE user_id = $1", user)
    assert told is not None
    assert (told["address"], told["user_agent"], told["details"]) == (None, None, None)
    assert await relay.fetchval(ERASE, 2) is True
    assert [row[0] for row in await _transactions(owner, user)] == ["deleted"] * 2 + ["Ada asked"] * 3
    while await relay.fetchval(ERASE, 2):
        pass
    assert await _transactions(owner, user) == [("deleted", None, None)] * 5
    assert (await _transactions(owner, other))[0][0] == "Ada asked"
    assert await owner.fetchrow(figures) == before


async def test_what_an_administrator_did_outlives_the_administrator(
    owner: asyncpg.Connection, front: asyncpg.Connection, relay: asyncpg.Connection
) -> None:
    """[68]: what was done, to whom and why stays; where the administrator sat goes."""
    gone, other = await add_user(owner, role="admin"), await add_user(owner, role="admin")
    await owner.execute(
        "INSERT INTO auth.security_events (id, user_id, actor_id, type, address, user_agent, details) VALUES"
        " (gen_random_uuid(), $1, $2, 'user.banned', '192.0.2.1', 'curl', '{\"reason\": \"spam\"}'),"
        " (gen_random_uuid(), $2, $1, 'user.role_changed', '192.0.2.2', 'curl', '{\"role\": \"user\"}')",
        other,
        gone,
    )
    async with acting(front, gone):
        await front.execute("SELECT auth.delete_this_user()")
    while await relay.fetchval(ERASE, 1):
        pass
    rows = await owner.fetch(
        "SELECT user_id, actor_id, host(address), user_agent, details FROM auth.security_events ORDER BY type"
    )
    assert [tuple(row) for row in rows] == [
        (other, gone, None, None, '{"reason": "spam"}'),
        (gone, other, "192.0.2.2", "curl", '{"role": "user"}'),
    ]


async def test_the_reasons_of_bans_go_with_their_user(
    owner: asyncpg.Connection, front: asyncpg.Connection, relay: asyncpg.Connection
) -> None:
    """[68, 70]: who was banned, by whom and when stays; what was said of the person goes, of this one only."""
    gone, other, admin = await add_user(owner), await add_user(owner), await add_user(owner, role="admin")
    for user in (gone, other):
        await owner.execute(
            "INSERT INTO auth.security_events (id, user_id, actor_id, type, address, details)"
            " SELECT gen_random_uuid(), $1, $2, type, '192.0.2.1', '{\"reason\": \"spam\"}'"
            " FROM unnest(ARRAY['user.banned', 'user.role_changed', 'user.unbanned']) AS type",
            user,
            admin,
        )
    async with acting(front, gone):
        await front.execute("SELECT auth.delete_this_user()")
    steps = 0
    while await relay.fetchval(ERASE, 1):
        steps += 1
    assert steps >= 2, "in steps of the size that was asked for"
    kept = "SELECT type, actor_id, details FROM auth.security_events WHERE user_id = $1 ORDER BY type"
    spam = '{"reason": "spam"}'
    assert [tuple(row) for row in await owner.fetch(kept, gone) if row["actor_id"]] == [
        ("user.banned", admin, None),
        ("user.role_changed", admin, spam),
        ("user.unbanned", admin, None),
    ]
    assert [row["details"] for row in await owner.fetch(kept, other)] == [spam] * 3


async def test_events_are_blanked_in_small_steps(
    owner: asyncpg.Connection, front: asyncpg.Connection, relay: asyncpg.Connection
) -> None:
    user = await add_user(owner)
    await owner.execute(
        "INSERT INTO auth.security_events (id, user_id, type, address)"
        " SELECT gen_random_uuid(), $1, 'sign_in.succeeded', '192.0.2.1' FROM generate_series(1, 5)",
        user,
    )
    async with acting(front, user):
        await front.execute("SELECT auth.delete_this_user()")
    left = "SELECT count(*) FROM auth.security_events WHERE address IS NOT NULL"
    seen = [await owner.fetchval(left)]
    while await relay.fetchval(ERASE, 2):
        seen.append(await owner.fetchval(left))
    assert seen == [5, 3, 1, 0, 0]


async def test_what_comes_late_is_blanked_later(
    owner: asyncpg.Connection, front: asyncpg.Connection, relay: asyncpg.Connection
) -> None:
    """An app may refund, and say why, when its user is long gone."""
    user = await add_user(owner)
    async with acting(front, user):
        await front.execute("SELECT auth.delete_this_user()")
    pauses: list[int] = []
    for position in range(1, 5):
        while await relay.fetchval(ERASE, 100):
            pass
        assert {row[0] for row in await _transactions(owner, user)} <= {"deleted"}
        pause = await owner.fetchval("SELECT round(extract(epoch FROM due_at - now()) / 86400) FROM auth.erasures")
        pauses += [] if pause is None else [int(pause)]
        await owner.execute(TRANSACTION, user, position)
        await owner.execute("UPDATE auth.erasures SET due_at = now()")
    assert pauses == [1, 7, 30]
    assert await owner.fetch("SELECT 1 FROM auth.erasures") == []


async def test_keys_and_refusals_of_a_deleted_user_go_in_small_steps(
    owner: asyncpg.Connection, front: asyncpg.Connection, relay: asyncpg.Connection
) -> None:
    user, other = await add_user(owner), await add_user(owner)
    for account in (user, other):
        await owner.execute(
            "INSERT INTO credits.keys (account_id, idempotency_key, operation, balance, free_credits_remaining,"
            " total_earned, total_spent, created_at, reason)"
            " SELECT $1, 'k' || number, 'op', 0, 0, 0, 0, now(), 'Ada' FROM generate_series(1, 5) AS number",
            account,
        )
        await owner.execute(
            "INSERT INTO credits.refusals (account_id, idempotency_key, identity, code, message, details, created_at)"
            " SELECT $1, 'r' || number, 'i', 'x', 'Ada', '{}', now() FROM generate_series(1, 5) AS number",
            account,
        )
    async with acting(front, user):
        await front.execute("SELECT auth.delete_this_user()")
    left = (
        "SELECT (SELECT count(*) FROM credits.keys WHERE account_id = $1 AND reason IS NOT NULL),"
        " (SELECT count(*) FROM credits.refusals WHERE account_id = $1)"
    )
    seen: list[tuple[int, ...]] = []
    while await relay.fetchval(ERASE, 2):
        seen.append(tuple(await owner.fetchrow(left, user) or ()))
    assert seen == [(3, 5), (1, 5), (0, 5), (0, 3), (0, 1), (0, 0), (0, 0)]
    assert tuple(await owner.fetchrow(left, other) or ()) == (5, 5)
    await owner.execute("DELETE FROM credits.refusals")


@pytest.mark.parametrize("function", ["auth.sweep('mails', 1)", "auth.sweep_events('1 day', 1)", "auth.erase_some(1)"])
async def test_upkeep_is_the_relays(front: asyncpg.Connection, function: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await front.execute(f"SELECT {function}")


async def test_nobody_is_deleted_without_a_user(front: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await front.execute("SELECT auth.delete_this_user()")
