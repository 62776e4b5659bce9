"""What PostgreSQL may do to us: die, end our sessions, have no room for more of them, hold a table.

Its supervisor starts it again at once; who needs it away for longer finds that in ``outages``.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from ops import urls
from ops.instance import Instance
from ops.servers.postgres import ADMINISTRATOR
from tests.faults.tools.errors import ToolError
from tests.faults.tools.hoard import Hoard
from tests.faults.tools.server import Server
from tests.faults.tools.telling import until

_UP_SECONDS: Final = 60.0
_LOCK_SECONDS: Final = 30.0
_OF_OTHERS: Final = """
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name LIKE $1
"""
_SESSIONS: Final = f"SELECT pid {_OF_OTHERS}"
_END: Final = f"""
SELECT pg_terminate_backend(pid) {_OF_OTHERS}
  AND usename = coalesce($2, usename) AND ($3::text IS NULL OR query = $3) AND ($4::text IS NULL OR wait_event = $4)
"""


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
        ended = await self.end_backends(application_name_like, role=role)
        if not ended:
            raise ToolError(f"there was no session like {application_name_like}")
        return ended

    async def end_backends(
        self,
        application_name_like: str,
        *,
        role: str | None = None,
        statement: str | None = None,
        waiting_for: str | None = None,
    ) -> int:
        """As :meth:`terminate_backends`, of these only the ones at a statement, or waiting for an event; maybe none."""
        return len(await self.fetch(_END, application_name_like, role, statement, waiting_for))

    async def sessions(self, application_name_like: str) -> set[int]:
        """The process ids of these sessions' backends."""
        return {row["pid"] for row in await self.fetch(_SESSIONS, application_name_like)}

    @asynccontextmanager
    async def full(self) -> AsyncGenerator[Hoard]:
        """No session can be had until the block ends, but an administrator's."""
        hoard = Hoard(self._reader_url)
        try:
            await hoard.fill()
            yield hoard
        finally:
            await hoard.close()

    @asynccontextmanager
    async def locked(self, table: str) -> AsyncGenerator[None]:
        """Nobody else reads or writes the table until the block ends; begins once the lock is held."""
        async with self.session() as session, session.transaction():
            await session.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS:.0f}s'")
            await session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[asyncpg.Connection]:
        """A session of the administrator's."""
        session = await asyncpg.connect(self._url)
        try:
            yield session
        finally:
            await session.close()

    async def execute(self, sql: str, *arguments: object) -> str:
        """Runs a statement as the administrator; the server's word for what was done."""
        async with self.session() as session:
            return await session.execute(sql, *arguments)

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """The rows of a question, asked as the administrator."""
        async with self.session() as session:
            return await session.fetch(sql, *arguments)
