"""TLS to the three servers, by their URLs alone: who is not vouched for gets no login and no command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.broker.link import Link as FrontsLink
from api.broker.link import Lost
from api.credits.tries import Tries
from api.database import Database
from api.errors import Unavailable
from api.redis_line import RedisAway, RedisLine
from migrations import runner
from migrations.errors import MigrationError
from ops.program import Program
from ops.urls import with_login
from tests.integration.ops.certificates import Authority
from tests.integration.ops.composing import Composed
from tests.integration.ops.conftest import TLS_PORT
from tests.integration.running import served
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
async def encrypted_redis(composed: Composed, trusted: Authority) -> AsyncGenerator[str]:
    """Its address; it has no port in the clear."""
    certificate, key = trusted.certified("redis")
    port, program = composed.port("redis", 0), await composed.redis()
    told = ["--tls-port", str(port), "--port", "0", "--tls-auth-clients", "no"]
    told += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(trusted.file)]
    url = f"rediss://:{composed.secrets.redis}@127.0.0.1:{port}/0"

    async def answers() -> bool:
        async with Redis.from_url(f"{url}?ssl_ca_certs={trusted.file}") as redis:
            try:
                return bool(await redis.ping())
            except RedisError:
                return False

    async with served(replace(program, argv=[*program.argv, *told], probe=answers)):
        yield url


async def _is_noted(tries: Tries) -> bool:
    return await tries.note(UUID(int=1), "key", "message") is not None


async def test_redis(encrypted_redis: str, trusted: Authority, stranger: Authority) -> None:
    known, unknown = (f"{encrypted_redis}?ssl_ca_certs={one.file}" for one in (trusted, stranger))
    async with RedisLine.connected(known, "return 1", "a-test", _PATIENCE) as line:
        assert await line.ask("PING")
    async with Tries.connected(known) as tries, asyncio.timeout(_PATIENCE):
        # The handshake may take longer than anybody waits: until it is done, tries go without a note.
        while not await _is_noted(tries):
            await asyncio.sleep(0)
    async with RedisLine.connected(unknown, "return 1", "a-test", _PATIENCE) as line:
        with pytest.raises(RedisAway):
            await line.ask("PING")
