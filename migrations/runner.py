"""Applies what is missing: one at a time, each file in a transaction of its own, under a lock of the whole database."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from migrations import files, history, partitions
from migrations.errors import MigrationError
from migrations.files import Migration

Tell = Callable[[str], None]

_LOCK: Final = 0x6D616E61
"""Key of the advisory lock that two runs exclude each other by ("mana")."""
_LOCK_PATIENCE_S: Final = 60.0
_LOCK_TIMEOUT: Final = "2s"
"""So long a file waits for a lock: whoever comes behind it to the same table waits as long."""
_TRIES: Final = 15
"""How often a file is tried that has waited so long, or waits for who waits for it."""
_PAUSE_S: Final = 2.0
"""As long as it waited: who can do twice the load has worked off by then what came to a stop behind it."""
_UNFINISHED: Final = r"""
SELECT indexrelid::regclass::text AS name
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND relkind = 'i' AND $1 ~ ('\m' || relname || '\M')
"""
"""Indexes that a statement names, and whose building was broken off: nothing uses them, and they stand in the way."""


@dataclass(frozen=True)
class Wish:
    """What is asked for: up to which number (all without one), how many partitions, or only to say what would be.

    ``beside``: programs of before run, and those that come need the schema of this number: what the former do not
    survive is left for later.
    """

    up_to: int | None = None
    beside: int | None = None
    partitions: int | None = None
    dry_run: bool = False
    folder: Path = files.FOLDER


async def migrate(url: str, wish: Wish, tell: Tell) -> list[str]:
    """Brings the schema where it is asked to be, and says each step; answers the labels of what was applied.

    Raises MigrationError with a sentence that says what to do.
    """
    migrations = files.read_all(wish.folder)
    async with _connected(url) as connection:
        try:
            return await _migrate(connection, migrations, wish, tell)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise MigrationError(f"The database did not do as it was told ({error}): see its log.") from error


async def _migrate(
    connection: asyncpg.Connection, migrations: Sequence[Migration], wish: Wish, tell: Tell
) -> list[str]:
    await _lock(connection)
    missing = history.pending(migrations, await history.read(connection))
    due = [migration for migration in missing if wish.up_to is None or migration.number <= wish.up_to]
    if wish.beside is not None:
        due = beside(due, wish.beside)
    if wish.dry_run:
        for migration in due:
            tell(f"would apply {migration.label}")
    else:
        await history.prepare(connection)
        await _apply_all(connection, due, tell)
        made = await partitions.ensure(connection, wish.partitions)
        if made:
            tell(made)
        if due or made:
            await _analyze(connection)
    if not due:
        tell("nothing to apply")
    return [migration.label for migration in due]


def beside(missing: Sequence[Migration], needed: int) -> list[Migration]:
    """What programs of before survive: all before the first that they do not. Raises MigrationError where an addition
    comes behind that one, or programs that need the schema ``needed`` could not run before it."""
    due = list(itertools.takewhile(lambda migration: migration.phase == "expand", missing))
    later = missing[len(due) :]
    if later and (needed >= later[0].number or any(migration.phase == "expand" for migration in later)):
        raise MigrationError(
            f"{later[0].label} takes away what the version that runs still uses: ./mana down, then ./mana up."
        )
    return due


async def _lock(connection: asyncpg.Connection) -> None:
    try:
        await connection.execute(f"SELECT pg_advisory_lock({_LOCK})", timeout=_LOCK_PATIENCE_S)
    except TimeoutError as error:
        raise MigrationError("Another run of the migrations goes on: wait for it to end, and try again.") from error


async def _apply_all(connection: asyncpg.Connection, due: Sequence[Migration], tell: Tell) -> None:
    await connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
    for migration in due:
        try:
            await _apply_patiently(connection, migration, tell)
        except asyncpg.PostgresError as error:
            raise MigrationError(
                f"{migration.label} failed ({error}): nothing of it was kept, correct it and try again."
            ) from error
        tell(f"applied {migration.label}")


async def _apply_patiently(connection: asyncpg.Connection, migration: Migration, tell: Tell) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            await _apply(connection, migration)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            if attempt == _TRIES:
                raise
            tell(f"{migration.label} waits for a lock, try {attempt} of {_TRIES}")
            await asyncio.sleep(_PAUSE_S)
        else:
            return


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    if not migration.in_transaction:
        for index in await connection.fetch(_UNFINISHED, migration.sql):
            await connection.execute(f"DROP INDEX CONCURRENTLY {index['name']}")
        await connection.execute(migration.sql)
        await history.record(connection, migration)
        return
    async with connection.transaction():
        await connection.execute(migration.sql)
        await history.record(connection, migration)


async def _analyze(connection: asyncpg.Connection) -> None:
    """Statistics at once, for tables that have rows.

    An empty one is left alone: once PostgreSQL knows that it is empty, it plans to read all of it each time, and keeps
    to that while it grows; of a table that it knows nothing about it expects some pages.
    """
    tables = await connection.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('credits', 'auth') AND tableowner = current_user"
    )
    for table in tables:
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table['name']})"):  # noqa: S608 - from the catalogue
            await connection.execute(f"ANALYZE {table['name']}")


@asynccontextmanager
async def _connected(url: str) -> AsyncGenerator[asyncpg.Connection, None]:
    try:
        connection = await asyncpg.connect(url, server_settings={"application_name": "mana-migrations"}, timeout=10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MigrationError(f"The database cannot be reached ({error}): check DATABASE_URL.") from error
    try:
        yield connection
    finally:
        await connection.close(timeout=5)
