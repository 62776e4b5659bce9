"""A connection of its own to PostgreSQL: leases are locks of this very session, and its batches run on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import asyncpg

from workers.ledger.faults import Broken
from workers.ledger.store.translation import of_connecting, translated

ANSWER_WITHIN_S: Final = 5.0
"""How long the server may take for one statement; then the connection counts as lost."""
SILENCE_S: Final = 10
"""After so many seconds without a word from us the server ends the session, and frees its locks."""
_PREPARE_AGAIN_S: Final = 5
"""So often a statement is planned anew: one that was planned on an empty ledger may read an account's whole history."""
_CONNECT_WITHIN_S: Final = 5
_CLOSE_WITHIN_S: Final = 2

_SETTINGS: Final[Mapping[str, str]] = {
    "timezone": "UTC",
    # Looked at once at the start; a reload of the server's configuration must not make later commits lossy.
    "synchronous_commit": "on",
    # Each look-up is by an index. Plans that were made on young tables would otherwise scan grown ones.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # One plan for all sizes of a batch: planning costs more than running a small one.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "lock_timeout": "4s",
    # A worker that was killed while its statement waits for a row must not keep its leases for that long.
    "client_connection_check_interval": "500ms",
    "idle_session_timeout": f"{SILENCE_S}s",
    "idle_in_transaction_session_timeout": f"{SILENCE_S}s",
}


class Statements:
    """Runs statements; all faults are the ledger's."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Mapping[str, Any]]:
        """The rows that a statement answers."""
        with translated(self._connection):
            return await self._connection.fetch(sql, *arguments)

    async def fetch_value(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row; ``None`` where there is no row."""
        with translated(self._connection):
            return await self._connection.fetchval(sql, *arguments)

    async def run(self, sql: str) -> str:
        """A statement without arguments; answers the server's own word for what was done, such as ``COMMIT``."""
        with translated(self._connection):
            return await self._connection.execute(sql)


class Session:
    """One connection, used by one at a time: whoever comes second waits.

    Every method raises ``ConnectionLost`` once the connection is gone; a session never connects again by itself,
    because its locks are gone too.
    """

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._statements = Statements(connection)
        self._turn = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        application_name: str,
        settings: Mapping[str, str] | None = None,
        answer_within_s: float | None = ANSWER_WITHIN_S,
    ) -> Self:
        """Connects, with ``settings`` besides the session's own. Raises ``TryAgain``; ``Broken`` for a wrong login."""
        try:
            connection = await asyncpg.connect(
                url,
                timeout=_CONNECT_WITHIN_S,
                command_timeout=answer_within_s,
                max_cached_statement_lifetime=_PREPARE_AGAIN_S,
                server_settings={**_SETTINGS, "application_name": application_name, **(settings or {})},
            )
        except (
            OSError,
            ValueError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            raise of_connecting(error) from error
        return cls(connection)

    @property
    def is_closed(self) -> bool:
        """True once the connection is gone, by whichever side."""
        return self._connection.is_closed()

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Mapping[str, Any]]:
        """The rows of a statement that is a transaction by itself."""
        async with self._alone():
            return await self._statements.fetch(sql, *arguments)

    async def fetch_value(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row of a statement that is a transaction by itself."""
        async with self._alone():
            return await self._statements.fetch_value(sql, *arguments)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Statements]:
        """One transaction: committed at the end of the block, rolled back where the block raises.

        A lost answer to COMMIT is ``ConnectionLost``: an unknown outcome. Cancelled inside, the connection is aborted.
        """
        async with self._alone():
            await self._statements.run("BEGIN ISOLATION LEVEL READ COMMITTED")
            try:
                yield self._statements
            except asyncio.CancelledError:
                raise
            except BaseException:
                if not self.is_closed:
                    await self._statements.run("ROLLBACK")
                raise
            # A server answers COMMIT with ROLLBACK where an error inside was passed over.
            if await self._statements.run("COMMIT") != "COMMIT":
                raise Broken("a transaction was committed although it had failed: it was rolled back")

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        async with self._turn:
            try:
                yield
            except asyncio.CancelledError:
                # Half an answer is on the line, and perhaps a COMMIT under way: nobody may go on from here.
                self.abort()
                raise

    async def hear(self, channel: str, called: Callable[[], None]) -> None:
        """Calls ``called`` whenever the database announces something there, for as long as the session lives."""

        def on_announcement(*_: object) -> None:
            called()

        async with self._alone():
            with translated(self._connection):
                await self._connection.add_listener(channel, on_announcement)

    async def close(self) -> None:
        """Ends the connection in good order, and the leases with it."""
        if self._connection.is_closed():
            return
        with translated(self._connection):
            await self._connection.close(timeout=_CLOSE_WITHIN_S)

    def abort(self) -> None:
        """Drops the connection at once, without a word."""
        self._connection.terminate()
