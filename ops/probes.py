"""Questions that tell whether a process does its work. Each answers within two seconds, and never raises."""

import asyncio
from collections.abc import Awaitable

import asyncpg
import httpx
import redis.asyncio as redis
from redis.exceptions import RedisError

from ops.program import Probe

_PATIENCE = 2.0


async def _in_time(question: Awaitable[bool]) -> bool:
    try:
        return await asyncio.wait_for(question, _PATIENCE)
    except (TimeoutError, OSError, httpx.HTTPError, RedisError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


def http(url: str) -> Probe:
    """Ready when `url` answers 200."""

    async def ask() -> bool:
        # trust_env: a proxy of the environment has no business with the loopback interface.
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(url)).is_success

    return lambda: _in_time(ask())


def tcp(port: int) -> Probe:
    """Ready when a connection to the loopback port is accepted."""

    async def ask() -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True

    return lambda: _in_time(ask())


def postgres(url: str) -> Probe:
    """Ready when a login succeeds: the port alone also answers while PostgreSQL still recovers."""

    async def ask() -> bool:
        connection = await asyncpg.connect(url)
        await connection.close()
        return True

    return lambda: _in_time(ask())


def redis_server(url: str) -> Probe:
    """Ready when PING is answered: not while the append-only file is still being read."""

    async def ask() -> bool:
        async with redis.from_url(url) as client:
            return bool(await client.ping())

    return lambda: _in_time(ask())


def both(first: Probe, second: Probe) -> Probe:
    """Ready when both are."""

    async def ask() -> bool:
        return await first() and await second()

    return ask
