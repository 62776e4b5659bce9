"""Keys that come and go by a schedule, as a front of this version understands them: none signs before it was published,
none verifies after it was withdrawn, and a withdrawn one stays withdrawn."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from api.auth import keys
from api.auth.keyring import REFRESH_SECONDS, Keyring
from api.auth.keystore import KeyStore
from api.database import Database as Pool
from tests.integration.ledger.server import Database

SECRET = bytes(range(32))
RETIRE = """
UPDATE auth.signing_keys
SET retired_at = now(), verify_until = now() + $2::text::interval, sealed_private_key = NULL
WHERE kid = $1
"""


class Clock:
    """A time that the test moves."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(database: Database) -> AsyncGenerator[KeyStore]:
    async with Pool.connected(database.url("mana_api"), 2, "test") as pool:
        yield KeyStore(pool, SECRET)


async def test_a_key_that_is_announced_verifies_and_signs_from_its_time_on(
    store: KeyStore, owner: asyncpg.Connection
) -> None:
    """[18]."""
    clock, next_key = Clock(), keys.generate()
    keyring = Keyring(store, None, clock)
    first = await keyring.current()
    await store.establish(next_key)
    await owner.execute(
        "UPDATE auth.signing_keys SET active_from = now() + interval '600 s' WHERE kid = $1", next_key.kid
    )
    clock.now += REFRESH_SECONDS + 1
    assert (await keyring.current()).kid == first.kid
    assert await keyring.find(next_key.kid) is not None
    assert {jwk["kid"] for jwk in (await keyring.jwks())["keys"]} == {first.kid, next_key.kid}
    await owner.execute("UPDATE auth.signing_keys SET active_from = now() WHERE kid = $1", next_key.kid)
    clock.now += REFRESH_SECONDS + 1
    assert (await keyring.current()).kid == next_key.kid


async def test_a_retired_key_verifies_until_its_end_without_its_private_half(
    store: KeyStore, owner: asyncpg.Connection
) -> None:
    clock = Clock()
    keyring = Keyring(store, None, clock)
    old, new = await keyring.current(), keys.generate()
    await store.establish(new)
    await owner.execute(RETIRE, old.kid, "30 s")
    clock.now += REFRESH_SECONDS + 1
    assert (await keyring.current()).kid == new.kid
    found = await keyring.find(old.kid)
    assert found is not None
    assert found.jwk == old.jwk
    clock.now += 30
    assert await keyring.find(old.kid) is None
    assert [jwk["kid"] for jwk in (await keyring.jwks())["keys"]] == [new.kid]


async def test_a_withdrawn_key_is_not_imported_again(store: KeyStore, owner: asyncpg.Connection) -> None:
    """A front that still has it in its settings starts, and signs with another."""
    imported = keys.generate()
    assert (await Keyring(store, imported, Clock()).current()).kid == imported.kid
    await owner.execute(RETIRE, imported.kid, "0 s")
    keyring = Keyring(store, imported, Clock())
    current = await keyring.current()
    assert current.kid != imported.kid
    assert await keyring.find(imported.kid) is None
    assert await owner.fetchval("SELECT count(*) FROM auth.signing_keys") == 2
    assert (await Keyring(store, imported, Clock()).current()).kid == current.kid
