"""How often the keys are looked at, and what holds while the database is away. Numbers: SECURITY.md's checklist."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator

import pytest

from api.auth.keyring import LOOK_AGAIN_SECONDS, REFRESH_SECONDS, Keyring
from api.auth.keystore import KeyStore, StoredKeys
from api.auth.sealing import Unreadable
from api.database import Database
from api.errors import Unavailable
from ops.instance import Instance


class CountingStore(KeyStore):
    """The real store; counts looks, and can be told that the database is away."""

    looks = 0
    away = False

    async def load(self) -> StoredKeys:
        self.looks += 1
        if self.away:
            raise Unavailable("postgresql", "away")
        return await super().load()


class Clock:
    """A time that the test moves."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(servers: Instance) -> AsyncGenerator[CountingStore]:
    async with Database.connected(servers.addresses.database_as("mana_api"), 2, "test") as database:
        yield CountingStore(database, base64.b64decode(servers.addresses.secrets.front_key))


async def test_unknown_names_cost_one_look_in_a_while(store: CountingStore) -> None:
    """[16]: beside the look for the keys themselves."""
    clock = Clock()
    keyring = Keyring(store, None, clock)
    current = await keyring.current()
    for number in range(1_000):
        assert await keyring.find(f"unknown-{number}") is None
    assert store.looks == 1 + 1
    clock.now += LOOK_AGAIN_SECONDS + 1
    for number in range(1_000):
        assert await keyring.find(f"unknown-{number}") is None
    assert store.looks == 1 + 2
    assert await keyring.find(current.kid) is not None


async def test_known_keys_outlive_an_outage(store: CountingStore) -> None:
    """[17]."""
    clock = Clock()
    keyring = Keyring(store, None, clock)
    current = await keyring.current()
    store.away = True
    clock.now += REFRESH_SECONDS + 1
    for _ in range(20):
        assert (await keyring.current()).kid == current.kid
        assert await keyring.find(current.kid) is not None
        assert (await keyring.jwks())["keys"]
    assert (store.looks, keyring.failures) == (2, 1), "not each request waits for the database"
    clock.now += LOOK_AGAIN_SECONDS + 1
    store.away = False
    assert keyring.age_seconds > REFRESH_SECONDS, "what an alert watches"
    await keyring.current()
    assert keyring.age_seconds == 0


async def test_without_any_key_nothing_is_claimed(store: CountingStore) -> None:
    store.away = True
    keyring = Keyring(store, None, Clock())
    with pytest.raises(Unavailable):
        await keyring.find("some")
    with pytest.raises(Unavailable):
        await keyring.current()


async def test_another_secret_opens_nothing(servers: Instance, store: CountingStore) -> None:
    await Keyring(store, None, Clock()).current()
    async with Database.connected(servers.addresses.database_as("mana_api"), 1, "test") as database:
        with pytest.raises(Unreadable):
            await KeyStore(database, bytes(32)).load()
