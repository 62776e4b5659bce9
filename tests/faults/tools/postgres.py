"""What PostgreSQL may do to us: die, end our sessions, have no room for more of them, hold a table.

Its supervisor starts it again at once. Whoever needs it away for longer puts a proxy before it (``Proxy.down``).
"""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import asyncpg

from ops import urls
from ops.instance import Instance
from ops.servers.postgres import ADMINISTRATOR
from tests.faults.tools.errors import ToolError
from tests.faults.tools.server import Server
from tests.faults.tools.telling import until

_UP_SECONDS: Final = 60.0
_LOCK_SECONDS: Final = 30.0


class Database:
    """The PostgreSQL of a private instance. Every fault raises ``ToolError`` where it did not happen."""

    def __init__(self, instance: Instance) -> None:
        self.server = Server(instance, "postgres")
        secrets = instance.addresses.secrets
        self._url = urls.with_login(instance.addresses.database, ADMINISTRATOR, secrets.postgres_admin)
        self._reader_url = instance.addresses.database_as("mana_readonly")

    async def kill(self) -> None:
        """SIGKILL of the postmaster: its backends find themselves orphaned, and end by themselves."""
        await self.server.end(signal.SIGKILL)

    async def restart_immediate(self) -> None:
        """As ``pg_ctl -m immediate restart``: all backends end where they are, and the start recovers."""
        await self.server.end(signal.SIGQUIT)

    async def wait_up(self, within: float = _UP_SECONDS) -> None:
        """Returns once it takes logins."""
        await self.server.ready(within)

        async def logs_in() -> bool:
            try:
                await (await asyncpg.connect(self._url)).close()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                return False
            return True

        await until(logs_in, "PostgreSQL takes logins", within)

    async def terminate_backends(self, application_name_like: str = "%", *, role: str | None = None) -> int:
        """Ends the sessions whose application's name is like this (SQL), of all roles or of one; how many."""
        ended = await self.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name LIKE $1"
            " AND usename = coalesce($2, usename)",
            application_name_like,
            role,
        )
        if not ended:
            raise ToolError(f"there was no session like {application_name_like}")
        return len(ended)

    @asynccontextmanager
    async def full(self) -> AsyncGenerator[int]:
        """No session can be had until the block ends, but an administrator's; how many were taken for that."""
        async with AsyncExitStack() as stack:
            taken = 0
            while True:
                try:
                    session = await asyncpg.connect(self._reader_url)
                except asyncpg.TooManyConnectionsError:
                    break
                stack.push_async_callback(session.close)
                taken += 1
            yield taken

    @asynccontextmanager
    async def locked(self, table: str) -> AsyncGenerator[None]:
        """Nobody else reads or writes the table until the block ends; begins once the lock is held."""
        session = await asyncpg.connect(self._url)
        try:
            async with session.transaction():
                await session.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS:.0f}s'")
                await session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                yield
        finally:
            await session.close()

    async def execute(self, sql: str, *arguments: object) -> str:
        """Runs a statement as the administrator; the server's word for what was done."""
        session = await asyncpg.connect(self._url)
        try:
            return await session.execute(sql, *arguments)
        finally:
            await session.close()

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """The rows of a question, asked as the administrator."""
        session = await asyncpg.connect(self._url)
        try:
            return await session.fetch(sql, *arguments)
        finally:
            await session.close()
