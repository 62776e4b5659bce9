"""Whoever got hold of an instance's passwords, and stays logged in by them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiormq
import asyncpg
from aiormq.abc import AbstractConnection
from aiormq.exceptions import AMQPError

from contracts.topology import LOGINS
from ops.addresses import Addresses
from ops.state import DATABASE_ROLES
from ops.urls import with_login

ADMINISTRATOR = "mana_admin"
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Intruder:
    """By role, by login, and at Redis."""

    sessions: Mapping[str, asyncpg.Connection]
    connections: Mapping[str, AbstractConnection]
    redis: asyncio.StreamReader

    @property
    def inside(self) -> set[str]:
        """What still answers: roles, logins, and ``redis``."""
        answering = {name for name, session in self.sessions.items() if not session.is_closed()}
        answering |= {name for name, connection in self.connections.items() if not connection.is_closed}
        return answering if self.redis.at_eof() else {*answering, "redis"}

    async def is_out(self) -> None:
        """Waits until all that there was has been ended from the other side."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while self.inside:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"still in: {', '.join(sorted(self.inside))}") from None


EVERYWHERE = {*DATABASE_ROLES, ADMINISTRATOR, *(login.name for login in LOGINS), "redis"}


def database_urls(addresses: Addresses) -> dict[str, str]:
    """How each role is logged in as."""
    administrator = with_login(addresses.database, ADMINISTRATOR, addresses.secrets.postgres_admin)
    return {ADMINISTRATOR: administrator, **{role: addresses.database_as(role) for role in DATABASE_ROLES}}


@asynccontextmanager
async def intruding(addresses: Addresses) -> AsyncGenerator[Intruder]:
    """Logged in as everybody at once."""
    async with AsyncExitStack() as stack:
        sessions: dict[str, asyncpg.Connection] = {}
        for role, url in database_urls(addresses).items():
            sessions[role] = await asyncpg.connect(url)
            stack.callback(sessions[role].terminate)
        connections: dict[str, AbstractConnection] = {}
        for login in LOGINS:
            connections[login.name] = await aiormq.connect(addresses.amqp_as(login.name))
            stack.push_async_callback(_leave, connections[login.name])
        reader, writer = await _at_redis(addresses.redis)
        stack.callback(writer.close)
        intruder = Intruder(sessions, connections, reader)
        assert intruder.inside == EVERYWHERE
        yield intruder


async def _leave(connection: AbstractConnection) -> None:
    with contextlib.suppress(AMQPError):  # it was ended from the other side
        await connection.close()


async def _at_redis(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Without a library, which would come again by itself."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"AUTH {parts.password}\r\nPING\r\n".encode())
    assert await reader.readuntil(b"+PONG\r\n") == b"+OK\r\n+PONG\r\n"
    return reader, writer
