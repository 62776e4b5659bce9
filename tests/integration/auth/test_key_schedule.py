"""Signing keys over a real database: one front makes what is due, none signs before its key was published, none
verifies after it was withdrawn, and a withdrawn one stays withdrawn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from api.auth import keys
from api.auth.announcements import Announcements
from api.auth.ended_sessions import EndedSessions
from api.auth.key_care import KeyCare
from api.auth.key_schedule import LEAD_SECONDS, SETTLED_SECONDS, KeyRules
from api.auth.keyring import REFRESH_SECONDS, Keyring
from api.auth.keystore import KeyStore
from api.auth.tokens import TokenRules, Tokens
from api.database import Database as Pool
from api.running import running
from tests.integration.auth.rooms import SECRET
from tests.integration.ledger.server import Database

RULES = KeyRules()
FOREVER = "SELECT kid FROM auth.signing_keys WHERE verify_until IS NULL ORDER BY active_from"
AGE = "UPDATE auth.signing_keys SET active_from = active_from - $1::text::interval"


class Clock:
    """A time that the test moves."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def stores(database: Database) -> AsyncGenerator[list[KeyStore]]:
    """Those of four fronts, each with connections of its own."""
    async with AsyncExitStack() as stack:
        pools = [
            await stack.enter_async_context(Pool.connected(database.url("mana_api"), 2, f"test-{number}"))
            for number in range(4)
        ]
        yield [KeyStore(pool, SECRET) for pool in pools]


@pytest.fixture
def store(stores: list[KeyStore]) -> KeyStore:
    """That of one front."""
    return stores[0]


async def _kids(owner: asyncpg.Connection) -> list[str]:
    return [row["kid"] for row in await owner.fetch("SELECT kid FROM auth.signing_keys ORDER BY active_from")]


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
async def test_fronts_that_start_together_make_one_key(
    stores: list[KeyStore], owner: asyncpg.Connection, algorithm: keys.Algorithm
) -> None:
    """[18] [19]."""
    rings = [Keyring(store, None, Clock(), KeyRules(algorithm)) for store in stores]
    signing = await asyncio.gather(*(ring.current() for ring in rings))
    assert len({key.kid for key in signing}) == 1
    assert signing[0].algorithm == algorithm
    assert await _kids(owner) == [signing[0].kid]
    events = await owner.fetch(
        "SELECT details ->> 'reason' AS why FROM auth.security_events WHERE type = 'keys.rotated'"
    )
    assert [row["why"] for row in events] == ["first"]
    kept = await owner.fetchval("SELECT sealed_private_key FROM auth.signing_keys")
    assert kept, "as it is sealed"
    assert signing[0].pkcs8[-32:] not in kept, "which for Ed25519 is the seed"


async def test_fronts_that_find_a_key_old_together_make_one_new_one(
    stores: list[KeyStore], owner: asyncpg.Connection
) -> None:
    """[18]: whichever is first, and an operator beside them."""
    rings = [Keyring(store, None, Clock()) for store in stores]
    await asyncio.gather(*(ring.current() for ring in rings))
    await owner.execute(AGE, "31 days")
    await asyncio.gather(*(ring.look() for ring in rings), stores[0].rotate(RULES), stores[1].rotate(RULES))
    old, new = await _kids(owner)
    for ring in rings:
        await ring.look()
        assert (await ring.current()).kid == old
        assert {jwk["kid"] for jwk in (await ring.jwks())["keys"]} == {old, new}
    lead = "SELECT extract(epoch FROM active_from - now())::float8 FROM auth.signing_keys WHERE kid = $1"
    assert LEAD_SECONDS - 60 < (await owner.fetchval(lead, new) or 0) <= LEAD_SECONDS


async def test_a_key_that_is_announced_verifies_and_signs_from_its_time_on(
    store: KeyStore, owner: asyncpg.Connection
) -> None:
    """[18]: a front that knows of it does not have to look again for that."""
    clock = Clock()
    ring = Keyring(store, None, clock)
    old = await ring.current()
    await store.rotate(RULES)
    new = (await _kids(owner))[-1]
    await owner.execute("UPDATE auth.signing_keys SET active_from = now() + interval '30 s' WHERE kid = $1", new)
    await ring.look()
    assert (await ring.current()).kid == old.kid
    assert await ring.find(new) is not None
    clock.now += 31
    assert (await ring.current()).kid == new


async def test_an_old_key_is_retired_when_all_sign_with_the_new_one(store: KeyStore, owner: asyncpg.Connection) -> None:
    """[19]: it verifies for as long as a token of it may live, and its private half is gone."""
    clock = Clock()
    ring = Keyring(store, None, clock)
    old = await ring.current()
    await store.rotate(RULES)
    await owner.execute(AGE, f"{LEAD_SECONDS + SETTLED_SECONDS - 30} s")
    await ring.look()
    assert (await ring.current()).kid != old.kid
    assert await owner.fetchval("SELECT count(*) FROM auth.signing_keys WHERE retired_at IS NULL") == 2
    await owner.execute(AGE, "60 s")
    await ring.look()
    row = await owner.fetchrow(
        "SELECT sealed_private_key, verify_until - retired_at AS lingers FROM auth.signing_keys WHERE kid = $1", old.kid
    )
    assert row is not None
    assert row["sealed_private_key"] is None
    assert row["lingers"] == timedelta(minutes=15 + 1 + 5)
    found = await ring.find(old.kid)
    assert found is not None
    assert found.jwk == old.jwk
    await owner.execute("UPDATE auth.signing_keys SET verify_until = now() + interval '30 s' WHERE kid = $1", old.kid)
    await ring.look()
    clock.now += 31
    assert await ring.find(old.kid) is None
    assert old.kid not in {jwk["kid"] for jwk in (await ring.jwks())["keys"]}


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
async def test_a_compromised_key_is_worth_nothing_at_once(
    stores: list[KeyStore], owner: asyncpg.Connection, algorithm: keys.Algorithm
) -> None:
    """Nor is one that was announced, nor a token that a front has verified before."""
    rings = [Keyring(store, None, Clock(), KeyRules(algorithm)) for store in stores[:2]]
    here, there = [Tokens(ring, TokenRules("mana", "mana", timedelta(minutes=15)), Clock()) for ring in rings]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    token = (await here.issue(uuid4(), "a@example.com", "user", uuid4(), tomorrow)).text
    assert await here.verify(token)
    assert await there.verify(token)
    await stores[3].rotate(RULES)
    await stores[3].withdraw_all(RULES)
    (new,) = [row["kid"] for row in await owner.fetch(FOREVER)]
    assert await owner.fetchval("SELECT count(*) FROM auth.signing_keys WHERE sealed_private_key IS NOT NULL") == 1
    for ring, tokens in zip(rings, (here, there), strict=True):
        await ring.look()
        assert await tokens.verify(token) is None
        assert (current := await ring.current()).kid == new
        assert current.algorithm == algorithm, "the one that signed before"
    fresh = (await here.issue(uuid4(), "a@example.com", "user", uuid4(), tomorrow)).text
    assert await there.verify(fresh)


async def test_a_key_that_is_brought_along_beside_others_is_announced_first(
    store: KeyStore, owner: asyncpg.Connection
) -> None:
    first = await Keyring(store, None, Clock()).current()
    imported = keys.generate("RS256")
    ring = Keyring(store, imported, Clock(), KeyRules("RS256"))
    assert (await ring.current()).kid == first.kid
    assert await ring.find(imported.kid) is not None
    await owner.execute("UPDATE auth.signing_keys SET active_from = now() WHERE kid = $1", imported.kid)
    await ring.look()
    assert (await ring.current()).kid == imported.kid


async def test_a_withdrawn_key_is_not_imported_again(store: KeyStore, owner: asyncpg.Connection) -> None:
    """A front that still has it in its settings starts, and signs with another."""
    imported = keys.generate()
    assert (await Keyring(store, imported, Clock()).current()).kid == imported.kid
    await store.withdraw_all(RULES)
    ring = Keyring(store, imported, Clock())
    current = await ring.current()
    assert current.kid != imported.kid
    assert await ring.find(imported.kid) is None
    assert len(await _kids(owner)) == 2


async def test_what_is_announced_is_heard_whatever_else_is_said(
    database: Database, stores: list[KeyStore], owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """[16] [20]: a new key and an end, without a look by the clock; words that are no session's id harm nothing."""
    ring, ended = Keyring(stores[0], None, Clock()), EndedSessions(timedelta(minutes=15), Clock())
    await ring.current()
    care, session = KeyCare(ring), uuid4()
    announcements = Announcements(database.url("mana_api"), [ended, care])
    async with running(announcements.follow(), care.follow()), asyncio.timeout(REFRESH_SECONDS / 4):
        while ended.has_ended(session) is None:
            await asyncio.sleep(0.01)
        await stores[1].rotate(RULES)
        new = (await _kids(owner))[-1]
        while not ring.verifies(new):
            await asyncio.sleep(0.01)
        await front.execute("NOTIFY mana_session_ended, 'nonsense'")
        await front.execute(f"NOTIFY mana_session_ended, '{session}'")
        while ended.has_ended(session) is not None:
            await asyncio.sleep(0.01)
        assert ended.has_ended(uuid4()) is False, "of others nothing was said"
    assert ended.has_ended(uuid4()) is None, "nothing is claimed once nothing is heard"
