"""`./mana secrets rotate` under load: every spend is carried out, and yesterday's passwords open nothing."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field, replace

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from ops import envfile, rotating, state
from ops.instance import Instance, private
from ops.layout import Pooling
from ops.rotation import PARTS
from ops.state import DATABASE_ROLES, Secrets
from tests.e2e.client import Client
from tests.integration.api.users import BASE, SignedIn, sign_up

USERS = 4
SERVERS = {"postgres", "pgbouncer", "epmd", "rabbitmq", "redis"}
_PAUSE = 0.25


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
        async with Client.connected(instance.env["MANA_AMQP_URL"]) as client, asyncio.TaskGroup() as load:
            opened = [await client.open_user() for _ in range(USERS)]
            for user in users:
                load.create_task(_by_rest(instance.env["MANA_API_URL"], user, spent))
            for user in opened:
                load.create_task(_by_amqp(client, user, spent))
            await asyncio.to_thread(rotating.change, instance.place, PARTS, lambda _step: None)
            told = dict(spent.by_user)
            async with asyncio.timeout(60):
                while not all(spent.by_user[user] > told[user] + 3 for user in told):
                    await asyncio.sleep(0.1)
            spent.over.set()
        after = _secrets(instance)
        assert all(after.roles[role] != password for role, password in before.roles.items())
        assert {name for name, password in before.logins.items() if after.logins[name] == password} == {"mana-admin"}
        for role in DATABASE_ROLES:
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(replace(addresses, secrets=before).database_as(role))
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
    connection = await asyncpg.connect(_fresh(instance)["MANA_DATABASE_READONLY_URL"])
    try:
        rows = await connection.fetch(
            "SELECT account_id::text AS user_id, count(*) AS uses FROM credits.transactions"
            " WHERE type = 'usage' GROUP BY account_id"
        )
    finally:
        await connection.close()
    assert {row["user_id"]: row["uses"] for row in rows} == spent.by_user


def _fresh(instance: Instance) -> dict[str, str]:
    return envfile.read(instance.place.env)
