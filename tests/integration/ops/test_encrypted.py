"""TLS to the three servers, by their URLs alone: who is not vouched for gets no login and no command. And our processes
work with nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from api.broker.link import Link as FrontsLink
from api.broker.link import Lost
from api.credits.tries import Tries
from api.database import Database
from api.errors import Unavailable
from api.redis_line import RedisAway, RedisLine
from migrations import runner
from migrations.errors import MigrationError
from ops.management import Management
from ops.program import Program
from ops.urls import with_login
from tests.e2e.client import Client
from tests.integration.api.users import sign_up
from tests.integration.ops.certificates import Authority, authority
from tests.integration.ops.composing import Composed, spent_one
from tests.integration.ops.encrypting import (
    TLS_MANAGEMENT,
    TLS_PORT,
    encrypted_broker,
    encrypted_database,
    encrypted_redis,
)
from workers.broker.errors import BrokerLostError
from workers.broker.link import Link as WorkersLink
from workers.broker.stream import StreamReader
from workers.ledger.faults import Broken
from workers.ledger.store.session import Session

_PATIENCE = 20.0
Call: TypeAlias = Callable[[str], Awaitable[None]]


async def _front_commands(url: str) -> None:
    await (await FrontsLink.open(url, lambda _id, _body: None)).close()


async def _worker_consumes(url: str) -> None:
    await (await WorkersLink.open(url, "a test")).close()


async def _log_is_read(url: str) -> None:
    async with StreamReader.opened(url, "credits.events.log", "first"):
        pass


def _amqps(composed: Composed) -> str:
    address = f"amqps://127.0.0.1:{composed.port('rabbitmq', TLS_PORT)}/"
    return with_login(address, "mana-admin", composed.secrets.login("mana-admin"))


async def test_the_log_of_events(broker: Program, composed: Composed, trusted: Authority) -> None:
    await _log_is_read(f"{_amqps(composed)}?cafile={trusted.file}")


@pytest.mark.parametrize("call", [_front_commands, _worker_consumes])
async def test_amqp(broker: Program, composed: Composed, trusted: Authority, stranger: Authority, call: Call) -> None:
    url = _amqps(composed)
    await call(f"{url}?cafile={trusted.file}")
    for unknown in (f"{url}?cafile={stranger.file}", url):
        with pytest.raises((Lost, BrokerLostError)) as refusal:
            await call(unknown)
        assert "certificate verify failed" in f"{refusal.value!r} {refusal.value.__cause__!r}".lower()


async def _front_reads(url: str) -> None:
    async with Database.connected(url, 1, "a test") as database, database.statement() as connection:
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


async def _worker_reads(url: str) -> None:
    session = await Session.open(url, application_name="a test")
    assert await session.fetch_value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    await session.close()


async def _migrations_run(url: str) -> None:
    await runner.migrate(url, runner.Wish(up_to=0, dry_run=True), lambda _said: None)


@pytest.mark.parametrize("call", [_front_reads, _worker_reads, _migrations_run])
async def test_postgresql(database: Composed, trusted: Authority, stranger: Authority, call: Call) -> None:
    login = with_login(
        database.local("postgresql://@postgres:5432/postgres"), "mana_admin", database.secrets.postgres_admin
    )
    await call(f"{login}?sslmode=verify-full&sslrootcert={trusted.file}")
    with pytest.raises((Unavailable, Broken, MigrationError)) as refusal:
        await call(f"{login}?sslmode=verify-full&sslrootcert={stranger.file}")
    assert "certificate verify failed" in f"{refusal.value} {refusal.value.__cause__}".lower()


@pytest.fixture(scope="module")
async def cache(composed: Composed, trusted: Authority) -> AsyncGenerator[str]:
    """The address of Redis."""
    async with encrypted_redis(composed, trusted) as url:
        yield url


async def _is_noted(tries: Tries) -> bool:
    return await tries.note(UUID(int=1), "key", "message") is not None


async def test_redis(cache: str, trusted: Authority, stranger: Authority) -> None:
    known, unknown = (f"{cache}?ssl_ca_certs={one.file}" for one in (trusted, stranger))
    async with RedisLine.connected(known, "return 1", "a-test", _PATIENCE) as line:
        assert await line.ask("PING")
    async with Tries.connected(known, _PATIENCE) as tries, asyncio.timeout(_PATIENCE):
        # The handshake may take longer than anybody waits: until it is done, tries go without a note.
        while not await _is_noted(tries):
            await asyncio.sleep(0)
    async with RedisLine.connected(unknown, "return 1", "a-test", _PATIENCE) as line:
        with pytest.raises(RedisAway):
            await line.ask("PING")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_credits_are_spent_and_an_apps_login_made_with_every_server_named_by_an_encrypted_address(
    apart: Composed,
) -> None:
    """As docs/operations/deploy.md says of servers of one's own: the set-up and all processes know no other address."""
    trusted = authority(apart.folder / "trusted")
    apart.env["MANA_ENVIRONMENT"] = "development"
    async with (
        encrypted_broker(apart, trusted),
        encrypted_database(apart, trusted),
        encrypted_redis(apart, trusted) as cache,
        AsyncExitStack() as stack,
    ):
        apart.name(_servers(apart, trusted, cache))
        await apart.set_up()
        fronts = await apart.start(stack, {"worker-1", "apps", "api-1"})
        async with httpx.AsyncClient(base_url=str(fronts["api-1"].url)) as http:
            user = await sign_up(http)
            assert (await spent_one(http, user.headers))["balance"]["freeCreditsRemaining"] == 149
        # Which waits until the keeper of logins has made the app's one at the broker.
        said = await apart.operated("apps", "create", "chat")
        (address,) = re.findall(r"amqps://\S+", said)
        async with Client.connected(address) as app:
            reply = await app.use(user.id, 2)
        assert reply["balance"]["freeCreditsRemaining"] == 147, reply
        await _nothing_is_in_the_clear(apart)


def _servers(composed: Composed, trusted: Authority, cache: str) -> dict[str, str]:
    usual = composed.administrators()
    management = f"https://127.0.0.1:{composed.port('rabbitmq', TLS_MANAGEMENT)}"
    return {
        "DATABASE_URL": f"{usual['DATABASE_URL']}?sslmode=verify-full&sslrootcert={trusted.file}",
        "AMQP_URL": f"{_amqps(composed)}?cafile={trusted.file}",
        "RABBITMQ_MANAGEMENT_URL": management,
        "REDIS_URL": f"{cache}?ssl_ca_certs={trusted.file}",
    }


async def _nothing_is_in_the_clear(composed: Composed) -> None:
    """Of what is connected now, by any of ours. Redis has no other port; the front is there."""
    named = composed.named
    async with Redis.from_url(named["REDIS_URL"]) as redis:
        assert len(await redis.client_list()) > 1
    database = await asyncpg.connect(named["DATABASE_URL"])
    sessions = await database.fetch(
        "SELECT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename LIKE 'mana_%'"
    )
    await database.close()
    assert {"mana_worker", "mana_api", "mana_apps"} <= {session["usename"] for session in sessions}
    assert all(session["ssl"] for session in sessions)
    async with Management.of(named["RABBITMQ_MANAGEMENT_URL"], named["AMQP_URL"]) as broker:
        connections = await broker.get("connections")
    assert {"mana-worker", "mana-front"} <= {connection["user"] for connection in connections}
    assert all(connection["ssl"] for connection in connections)
