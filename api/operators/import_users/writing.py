"""Users into the database, a batch of lines in one transaction; lines that went in before are passed over."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import uuid_utils.compat

from api.database import translated
from api.operators.import_users.judging import Importable
from api.sql import Statements

STATEMENT_SECONDS_MAX: Final = 60.0
_SESSION: Final = {
    "application_name": "mana-import-users",
    # An import that was killed must not keep the next one out while its last statement waits for a lock.
    "client_connection_check_interval": "500ms",
}
_SQL: Final = Statements(Path(__file__).parent / "sql")


class AnotherRuns(Exception):  # noqa: N818 - says what is the case
    """Another import is under way."""


@dataclass(frozen=True)
class Written:
    """What became of a batch, by line: those that went in now, or before; all others' addresses are somebody's."""

    added: frozenset[int]
    before: frozenset[int]


@dataclass(frozen=True)
class Unopened:
    """A user whose account is not known to be open."""

    line: int
    user_id: UUID
    balance: int


class ImportStore:
    """The rows of one file's import. Methods raise ``Unavailable``."""

    def __init__(self, connection: asyncpg.Connection, file_hash: bytes) -> None:
        self._connection = connection
        self._file_hash = file_hash

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, file_hash: bytes) -> AsyncGenerator[ImportStore]:
        """Connects as the database's owner. Raises ``Unavailable``, and ``AnotherRuns``."""
        with translated():
            connection = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS_MAX, server_settings=_SESSION)
        try:
            with translated():
                if not await connection.fetchval(_SQL["lock_imports"]):
                    raise AnotherRuns
            yield cls(connection, file_hash)
        finally:
            connection.terminate()

    async def add(self, batch: Mapping[int, Importable]) -> Written:
        """Adds users by the line that each stands in; the lines rise."""
        with translated():
            rows = await self._connection.fetch(_SQL["list_imported"], self._file_hash, min(batch), max(batch))
            before = frozenset(row["line"] for row in rows) & batch.keys()
            fresh = {line: user for line, user in batch.items() if line not in before}
            rows = await self._connection.fetch(_SQL["add_users"], self._file_hash, *_columns(fresh))
        return Written(frozenset(row["line"] for row in rows), before)

    async def unopened(self, after: int, most: int) -> list[Unopened]:
        """Users behind that line whose accounts are to be opened."""
        with translated():
            rows = await self._connection.fetch(_SQL["list_unopened"], self._file_hash, after, most)
        return [Unopened(**row) for row in rows]

    async def mark_opened(self, lines: Sequence[int]) -> None:
        """Notes that the broker has what opens their accounts."""
        with translated():
            await self._connection.execute(_SQL["mark_opened"], self._file_hash, lines)


def _columns(users: Mapping[int, Importable]) -> tuple[list[object], ...]:
    """One list for each column, for ``unnest``."""
    return (
        list(users),
        [uuid_utils.compat.uuid7() for _ in users],
        [user.email.address for user in users.values()],
        [user.email.key for user in users.values()],
        [user.name for user in users.values()],
        [user.hash for user in users.values()],
        [user.verified for user in users.values()],
        [user.balance for user in users.values()],
        [uuid_utils.compat.uuid7() for _ in users],
    )
