"""An unknown address costs one hash, as a known one does, and one of the kinds that users have (SECURITY.md 21)."""

from __future__ import annotations

from collections import Counter

import asyncpg
import pytest

from api.auth.emails import known
from api.auth.sign_in import Credentials
from api.database import Database as Pool
from api.errors import Refusal
from tests.integration.auth.rooms import LAPTOP, PASSWORD, SOMEWHERE, CheapHasher, rooms, with_decoys
from tests.integration.auth.rows import add_user
from tests.integration.ledger.server import Database

BCRYPT, OURS = "$2b$04$" + "a" * 53, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"


@pytest.mark.checklist(21)
async def test_every_refused_sign_in_computes_one_hash(database: Database, owner: asyncpg.Connection) -> None:
    hasher = CheapHasher()
    async with rooms(database.url("mana_api"), hasher=hasher) as front_door:
        for email in ("wrong@example.com", "banned@example.com", "bare@example.com"):
            await front_door.register(email)
        await owner.execute("UPDATE auth.users SET banned_at = now() WHERE email LIKE 'banned%'")
        await owner.execute(
            "DELETE FROM auth.passwords USING auth.users WHERE users.id = user_id AND email LIKE 'bare%'"
        )
        for email, password in (
            ("wrong@example.com", "wrong " + PASSWORD),
            ("banned@example.com", PASSWORD),
            ("bare@example.com", PASSWORD),
            ("nobody@example.com", PASSWORD),
        ):
            before = hasher.started
            with pytest.raises(Refusal):
                await front_door.sign_in.sign_in(Credentials(known(email), password), SOMEWHERE, LAPTOP)
            assert hasher.started - before == 1, email
    hasher.close()


@pytest.mark.checklist(21)
async def test_unknown_addresses_cost_what_imported_users_do(database: Database, owner: asyncpg.Connection) -> None:
    """A quarter of the users has bcrypt, so about a quarter of unknown addresses has, and each of them always."""
    for number in range(8):
        stored = BCRYPT if number % 4 == 0 else OURS
        await owner.execute("UPDATE auth.passwords SET hash = $2 WHERE user_id = $1", await add_user(owner), stored)
    async with Pool.connected(database.url("mana_api"), 2, "test") as pool:
        hasher, decoys = with_decoys(pool)
        assert decoys.of(b"nobody@example.com") is None, "not known yet: one like ours is taken"
        await decoys.look()
        kinds = [[_kind(decoys.of(f"n{number}@example.com".encode())) for number in range(400)] for _ in range(2)]
        assert kinds[0] == kinds[1]
        assert 60 <= Counter(kinds[0])["$2b$04"] <= 140
        assert await hasher.verify("password", None, b"nobody@example.com") is False
        hasher.close()


def _kind(decoy: str | None) -> str:
    assert decoy is not None
    return decoy[:6]


async def test_of_many_passwords_a_sample_is_counted(database: Database, owner: asyncpg.Connection) -> None:
    """Some thousand pages, however many there are: what is asked every hour by every front must not grow."""
    await owner.execute("ALTER TABLE auth.passwords SET (fillfactor = 10)")
    await owner.execute(
        "INSERT INTO auth.users (id, email, email_key) SELECT gen_random_uuid(), n || '@e.com', n || '@e.com'"
        " FROM generate_series(1, 20000) AS n"
    )
    await owner.execute(
        "INSERT INTO auth.passwords (user_id, hash)"
        " SELECT id, CASE WHEN random() < 0.25 THEN $1 ELSE $2 END FROM auth.users",
        BCRYPT,
        OURS,
    )
    pages = await owner.fetchval("SELECT pg_relation_size('auth.passwords') / 8192")
    assert pages is not None
    assert pages > 2_500
    rows = await owner.fetch("SELECT * FROM auth.count_password_kinds()")
    counted = {row["kind"]: row["users"] for row in rows}
    assert 0.5 * 1_000 / pages < sum(counted.values()) / 20_000 < 2 * 1_000 / pages
    assert 0.15 < counted["$2b$04"] / sum(counted.values()) < 0.35
    await owner.execute("ALTER TABLE auth.passwords RESET (fillfactor)")
