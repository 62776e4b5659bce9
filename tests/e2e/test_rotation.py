"""`./mana secrets rotate` under load: every spend is carried out, and yesterday's passwords open nothing."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from ops import envfile, rotating, state
from ops.addresses import Addresses
from ops.instance import Instance, of, private
from ops.layout import Pooling
from ops.management import Management
from ops.place import Place
from ops.rotation import PARTS
from ops.state import Secrets, new_password
from ops.urls import with_login
from tests.e2e.client import Client
from tests.e2e.intruders import EVERYWHERE, database_urls, intruding
from tests.e2e.spending import grant, uses_by_user
from tests.e2e.starter import Starter
from tests.integration.api.users import BASE, SignedIn, sign_up

USERS = 4
APP = "chat"
SERVERS = {"postgres", "epmd", "rabbitmq", "redis"}
_PAUSE = 0.05
"""Between two spends of a user, in seconds."""
_MANY = 200
"""Spends, at the least, that are told of while passwords change."""


@dataclass
class Spent:
    """How many spends each user was told of."""

    by_user: dict[str, int] = field(default_factory=dict[str, int])
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, user: str) -> None:
        self.by_user[user] = self.by_user.get(user, 0) + 1


async def _by_rest(url: str, user: SignedIn, spent: Spent) -> None:
    """Each with a connection of its own, and without a second try."""
    while not spent.over.is_set():
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            body = {"amount": 1, "appId": "chat", "description": "while passwords change"}
            headers = {**user.headers, "prefer": "wait=30"}
            answer = await http.post(f"{BASE}/credits/use", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        spent.count(user.id)
        await asyncio.sleep(_PAUSE)


async def _by_amqp(client: Client, user: str, spent: Spent) -> None:
    while not spent.over.is_set():
        reply = await client.use(user, 1)
        assert reply["ok"], reply
        spent.count(user)
        await asyncio.sleep(_PAUSE)


async def _app(addresses: Addresses) -> str:
    """The address of an app's login, which is none of those that change."""
    async with Management.of(addresses.management, addresses.amqp) as broker:
        await broker.put("users", APP, body={"password": "secret", "tags": ""})
        rights = {"configure": "^$", "write": r"^credits\.commands$", "read": "^$"}
        await broker.put("permissions", "/", APP, body=rights)
    return with_login(addresses.amqp, APP, "secret")


def _pids(instance: Instance) -> dict[str, int | None]:
    return {process.name: process.pid for process in instance.status.processes}


def _secrets(instance: Instance) -> Secrets:
    held = state.load(instance.place.state)
    assert held is not None
    return held.secrets


async def _users(instance: Instance) -> list[SignedIn]:
    async with httpx.AsyncClient(base_url=instance.env["MANA_API_URL"], timeout=30) as http:
        users = [await sign_up(http) for _ in range(USERS)]
        for user in users:
            async with asyncio.timeout(20):
                while (await http.get(f"{BASE}/credits/balance", headers=user.headers)).status_code != 200:
                    await asyncio.sleep(0.1)
    return users


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_fails_while_all_passwords_change() -> None:
    with private(workers=2, partitions=8, name="rotation", pooling=Pooling(4)) as instance:
        before, addresses, pids = _secrets(instance), instance.addresses, _pids(instance)
        old_redis = instance.env["MANA_REDIS_URL"]
        users, spent = await _users(instance), Spent()
        async with Client.connected(addresses.amqp) as administrator:
            opened = [await administrator.open_user() for _ in range(USERS)]
            for user in [*opened, *(user.id for user in users)]:
                await grant(administrator, user)
        async with (
            intruding(addresses) as intruder,
            Client.connected(await _app(addresses)) as client,
            asyncio.TaskGroup() as load,
        ):
            through_the_pooler = await asyncpg.connect(addresses.pooled_as("mana_api"), statement_cache_size=0)
            for user in users:
                load.create_task(_by_rest(instance.env["MANA_API_URL"], user, spent))
            for user in opened:
                load.create_task(_by_amqp(client, user, spent))
            began = sum(spent.by_user.values())
            await asyncio.to_thread(rotating.change, instance.place, PARTS, lambda _step: None)
            meanwhile = sum(spent.by_user.values()) - began
            print("spends while passwords changed:", meanwhile)
            assert meanwhile > _MANY
            await intruder.is_out()
            assert through_the_pooler.is_closed()
            told = dict(spent.by_user)
            async with asyncio.timeout(60):
                while not all(spent.by_user[user] > told[user] + 3 for user in told):
                    await asyncio.sleep(0.1)
            spent.over.set()
        after = _secrets(instance)
        assert all(after.roles[role] != password for role, password in before.roles.items())
        assert not set(before.logins.values()) & set(after.logins.values())
        for url in database_urls(addresses).values():
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(url)
        with pytest.raises(AuthenticationError):
            async with Redis.from_url(old_redis) as redis:
                await redis.ping()
        instance.place.rotation.write_text("nonsense")
        instance.status.supervisor.send(signal.SIGUSR1)
        while "could not be read" not in ((instance.status.rotation and instance.status.rotation.failure) or ""):
            await asyncio.sleep(0.1)
        await _books_agree(instance, spent)
        assert {process.state for process in instance.status.processes} == {"ready"}
        assert {name for name, pid in _pids(instance).items() if pid == pids[name]} == SERVERS, "all others are new"


async def _books_agree(instance: Instance, spent: Spent) -> None:
    assert await uses_by_user(_fresh(instance)["MANA_DATABASE_READONLY_URL"]) == spent.by_user


def _fresh(instance: Instance) -> dict[str, str]:
    return envfile.read(instance.place.env)


def _noted_alone(secrets: Secrets) -> None:
    """The launcher died behind its note, before a server heard of it."""
    secrets.former = {"mana_admin": secrets.postgres_admin, "mana-admin": secrets.logins["mana-admin"]}
    secrets.postgres_admin = secrets.logins["mana-admin"] = new_password()


def _done_and_not_noted(secrets: Secrets) -> None:
    """It died behind the change, before it noted that."""
    secrets.former = {"mana_admin": new_password(), "mana-admin": new_password()}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_change_of_administrators_that_was_broken_off_locks_nobody_out() -> None:
    with tempfile.TemporaryDirectory(prefix="mana-broken-off-") as folder:
        Path(folder).chmod(0o711)
        starter, place = Starter(Path(folder) / "home"), Place(Path(folder) / "home")
        up = ("up", "--detach", "--servers-only", "--partitions", "1")
        await asyncio.to_thread(starter.must, *up)
        try:
            for die in (_noted_alone, _done_and_not_noted):
                await asyncio.to_thread(starter.must, "down")
                held = state.load(place.state)
                assert held is not None
                die(held.secrets)
                state.save(place.state, held)
                await asyncio.to_thread(starter.must, *up)
                addresses = of(place).addresses
                assert addresses.secrets.former == {}
                assert addresses.secrets.postgres_admin == held.secrets.postgres_admin
                async with intruding(addresses) as intruder:
                    assert intruder.inside == EVERYWHERE
        finally:
            await asyncio.to_thread(starter.run, "down", "--purge")
