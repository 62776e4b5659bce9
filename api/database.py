"""Connections to PostgreSQL, for the stores: a pool, and transactions that are bound to one user's rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg

from api.errors import Unavailable

Connection: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

STATEMENT_SECONDS_MAX: Final = 5.0
ACQUIRE_SECONDS_MAX: Final = 2.0
STATEMENTS_KEPT: Final = 100

_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a session whose end was told between two requests
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # of a process that stood still
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.TransactionRollbackError,
    asyncpg.InvalidCachedStatementError,
)
"""What says nothing about the request: the server is away, full, restarting or being migrated, or asks for another
try."""
_BAD_VALUE: Final = "a value that cannot be taken"
"""In place of sentences that quote the value (class 22)."""
_OF_ROWS: Final = ("22", "23")
"""Classes of SQLSTATE that tell of what users gave; the sentences of others are ours, or name what is in the schema."""


@contextmanager
def translated() -> Generator[None]:
    """Turns the driver's words for "the server is away" into ``Unavailable``; others go on without what they quote."""
    try:
        yield
    except _AWAY as error:
        raise Unavailable("postgresql", "the database cannot be reached") from error
    except asyncpg.PostgresError as error:
        _without_rows(error)
        raise


def _without_rows(error: asyncpg.PostgresError) -> None:
    """Leaves what the error is and which constraint it is of: it is logged, and what users gave is not."""
    sqlstate, constraint = str(getattr(error, "sqlstate", None)), getattr(error, "constraint_name", None)
    if sqlstate.startswith(_OF_ROWS):
        text = _BAD_VALUE if sqlstate.startswith("22") else "".join(map(str, error.args))
        error.args = (f"{text} (SQLSTATE {sqlstate}{f', constraint {constraint}' if constraint else ''})",)
    vars(error).update(detail=None, hint=None)


def one(row: asyncpg.Record | None) -> asyncpg.Record:
    """The row of a statement that always answers with one."""
    if row is None:
        raise LookupError("a statement that answers with one row gave none")
    return row


async def _keep(_: Connection) -> None:
    """Nothing to reset: we change no session settings, only those of a transaction."""


class Database:
    """A pool of connections as the front's role, whose rows are those of the user named in each transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.waiting = 0
        """Transactions that wait for a connection."""

    @property
    def size(self) -> int:
        """Connections that there are."""
        return self._pool.get_size()

    @property
    def size_max(self) -> int:
        """As many as there may be."""
        return self._pool.get_max_size()

    @property
    def idle(self) -> int:
        """Connections that nobody uses."""
        return self._pool.get_idle_size()

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, size: int, name: str, statement_cache: int = STATEMENTS_KEPT
    ) -> AsyncGenerator[Database]:
        """Opens the pool; connections are made when they are first needed, so a server that is away stops no start.

        ``statement_cache``: so many statements each connection keeps prepared.
        """
        pool = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=size,
            max_inactive_connection_lifetime=0,
            command_timeout=STATEMENT_SECONDS_MAX,
            timeout=ACQUIRE_SECONDS_MAX,
            reset=_keep,
            statement_cache_size=statement_cache,
            server_settings={"application_name": name, "timezone": "UTC"},
        )
        await pool
        try:
            yield cls(pool)
        finally:
            try:
                async with asyncio.timeout(STATEMENT_SECONDS_MAX):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def statement(self) -> AsyncGenerator[Connection]:
        """A connection for one statement, which is a transaction by itself and sees no user's rows.

        Raises ``Unavailable`` where the server cannot be used.
        """
        with translated():
            self.waiting += 1
            try:
                connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS_MAX)
            finally:
                self.waiting -= 1
            try:
                yield connection
            finally:
                await self._pool.release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """A transaction that sees no user's rows. Raises ``Unavailable`` as above."""
        async with self.statement() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def as_user(self, user_id: UUID) -> AsyncGenerator[Connection]:
        """A transaction that sees one user's rows and no other's. Raises ``Unavailable`` as above."""
        async with self.transaction() as connection:
            await _act_as(connection, user_id)
            yield connection


async def _act_as(connection: Connection, user_id: UUID) -> None:
    await connection.execute("SELECT set_config('app.user_id', $1, true)", str(user_id))
