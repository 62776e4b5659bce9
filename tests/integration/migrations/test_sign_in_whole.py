"""Migration 0004 on a database in use: what ended lately is still known as ended, and programs of before go on."""

from __future__ import annotations

import asyncpg

from migrations.runner import Wish, migrate
from tests.integration.ledger.server import Database

BEFORE = """
INSERT INTO auth.users (id, email, email_key)
VALUES ('00000000-0000-7000-8000-000000000001', 'a@b.example', 'a@b.example');
INSERT INTO auth.sessions (id, user_id, created_at, expires_at, ended_at, ended_reason) VALUES
    ('00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-000000000001', now() - interval '3 days',
     now() + interval '1 day', now() - interval '1 min', 'logout'),
    ('00000000-0000-7000-8000-00000000000b', '00000000-0000-7000-8000-000000000001', now() - interval '3 days',
     now() + interval '1 day', now() - interval '2 days', 'logout'),
    ('00000000-0000-7000-8000-00000000000c', '00000000-0000-7000-8000-000000000001', now() - interval '3 days',
     now() + interval '1 day', NULL, NULL);
INSERT INTO auth.signing_keys (kid, algorithm, public_jwk, sealed_private_key, created_at)
VALUES (repeat('k', 43), 'EdDSA', '{}', 'sealed', now() - interval '90 days');
"""

OF_BEFORE = """
INSERT INTO auth.security_events (id, user_id, session_id, type, subject_hash, address, user_agent)
VALUES (gen_random_uuid(), NULL, NULL, 'sign_in.failed', sha256('x'), '192.0.2.1', 'curl');
INSERT INTO auth.signing_keys (kid, algorithm, public_jwk, sealed_private_key)
VALUES (repeat('l', 43), 'EdDSA', '{}', 'sealed');
SELECT kid, sealed_private_key, retired_at IS NOT NULL AS retired FROM auth.signing_keys ORDER BY created_at DESC;
SELECT auth.find_refresh_token_owner('x');
"""
_OURS = "connamespace = 'auth'::regnamespace"
_LARGE = "SELECT format('auth.%I', name)::regclass FROM unnest($1::text[]) AS name"
_NAMES = ["users", "sessions", "refresh_tokens", "security_events"]
_READING_LARGE_TABLES = f"""
SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND convalidated AND conrelid IN ({_LARGE})
            AND pg_get_constraintdef(oid) ~ 'language|epoch|ban_reason|details')
     + (SELECT count(*) FROM pg_index WHERE indrelid IN ({_LARGE}) AND indexrelid::regclass::text ~
            'prefix|admins|expiring|live|sealed|in_order|of_actor')
"""


async def test_a_database_in_use(empty: Database, by_hand: asyncpg.Connection) -> None:
    owner = empty.url("mana_owner")
    await migrate(owner, Wish(up_to=3, partitions=1), lambda _line: None)
    await by_hand.execute(BEFORE)
    assert await migrate(owner, Wish(up_to=4), lambda _line: None) == ["0004_sign_in_whole"]
    assert await by_hand.fetchval(_READING_LARGE_TABLES, _NAMES) == 0, "of 0004's locks all sign-ins wait"
    front = await asyncpg.connect(empty.url("mana_api"))
    try:
        ended = await front.fetch("SELECT auth.list_ended_sessions(now() - interval '1 hour') AS id")
        assert [row["id"].int & 0xF for row in ended] == [0xA]
        assert await front.fetchval("SELECT active_from = created_at FROM auth.signing_keys")
        earlier = await front.fetchrow("SELECT user_id, password_hash, banned FROM auth.find_sign_in('a@b.example')")
        assert earlier is not None
        assert earlier["banned"] is False
        await front.execute(OF_BEFORE)
        user = await by_hand.fetchrow("SELECT language, credential_epoch, ban_reason FROM auth.users")
        assert tuple(user or ()) == ("en", 0, None)
    finally:
        await front.close()

    assert len(await migrate(owner, Wish(up_to=12), lambda _line: None)) == 8
    assert await by_hand.fetchval(f"SELECT count(*) FROM pg_constraint WHERE NOT convalidated AND {_OURS}") == 0
    rows = await by_hand.fetch(
        "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " WHERE indisvalid AND relnamespace = 'auth'::regnamespace"
    )
    assert {row["relname"] for row in rows} >= {
        "users_email_prefix",
        "users_admins",
        "sessions_expiring",
        "sessions_live",
        "refresh_tokens_sealed",
        "security_events_in_order",
        "security_events_of_actor",
    }
