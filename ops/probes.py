"""Questions that tell whether a process does its work. Each answers within two seconds, and never raises."""

import asyncio
import base64
from collections.abc import Awaitable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import redis.asyncio as redis
from redis.exceptions import RedisError

from ops.program import Probe

_PATIENCE = 2.0
# NAMES_REQ of Erlang's distribution protocol: its length, and the letter n. The answer begins with epmd's port.
_EPMD_NAMES = b"\x00\x01n"
_EPMD_PORT_BYTES = 4


async def _in_time(question: Awaitable[bool]) -> bool:
    try:
        # wait_for could swallow a cancellation, and who asks all the time would go on after the process has ended.
        async with asyncio.timeout(_PATIENCE):
            return await question
    except (
        TimeoutError,
        OSError,
        RedisError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ):
        return False


def http(url: str, login: tuple[str, str] | None = None) -> Probe:
    """Ready when `url` answers 200, to this user and password where they are given."""

    parts = urlsplit(url)
    # By hand: an HTTP client reads all certificates of the system first, and this is asked all the time.
    headers = [f"Host: {parts.netloc}", "Connection: close"]
    if login:
        headers.append(f"Authorization: Basic {base64.b64encode(':'.join(login).encode()).decode()}")
    question = "\r\n".join([f"GET {parts.path or '/'} HTTP/1.1", *headers, "\r\n"]).encode()

    async def ask() -> bool:
        answer = await _exchange(parts.hostname or "127.0.0.1", parts.port or 80, question)
        return answer.split(b"\r\n", 1)[0].split(b" ")[1:2] == [b"200"]

    return lambda: _in_time(ask())


def epmd(port: int) -> Probe:
    """Ready when it names its nodes. A connection without a question would be a line in its log."""

    async def ask() -> bool:
        return len(await _exchange("127.0.0.1", port, _EPMD_NAMES)) >= _EPMD_PORT_BYTES

    return lambda: _in_time(ask())


async def _exchange(host: str, port: int, question: bytes) -> bytes:
    """What is answered until the other side closes."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(question)
        return await reader.read()
    finally:
        writer.close()


def tcp(port: int) -> Probe:
    """Ready when a connection to the loopback port is accepted."""

    async def ask() -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True

    return lambda: _in_time(ask())


def postgres(url: str, greeting: str | None = None) -> Probe:
    """Ready when a login succeeds: the port alone also answers while PostgreSQL still recovers.

    `greeting`: a statement that is said at the first login of each of its lives.
    """
    greeted = False

    async def ask() -> bool:
        nonlocal greeted
        known, greeted = greeted, False
        connection = await asyncpg.connect(url)
        if greeting is not None and not known:
            await connection.execute(greeting)
        await connection.close()
        greeted = True
        return True

    return lambda: _in_time(ask())


def pooler(url: str) -> Probe:
    """Ready when PostgreSQL answers through it."""

    async def ask() -> bool:
        connection = await asyncpg.connect(url, statement_cache_size=0)
        try:
            return await connection.fetchval("SELECT true")
        finally:
            connection.terminate()

    return lambda: _in_time(ask())


def redis_server(url: str, configuration: Path | None = None) -> Probe:
    """Ready when PING is answered: not while the append-only file is still being read.

    `configuration`: the file that it must have been started with, for a server without passwords takes any.
    """

    async def ask() -> bool:
        async with redis.from_url(url) as client:
            if configuration is None:
                return bool(await client.ping())
            told = await client.info("server")
            return bool(await client.ping()) and told["config_file"] == str(configuration)

    return lambda: _in_time(ask())


def either(first: Probe, second: Probe) -> Probe:
    """Ready when one of them is."""

    async def ask() -> bool:
        return await first() or await second()

    return ask


def both(first: Probe, second: Probe) -> Probe:
    """Ready when both are."""

    async def ask() -> bool:
        return await first() and await second()

    return ask
