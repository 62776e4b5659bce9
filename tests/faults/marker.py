"""The mark of a database that processes may be killed on, and the two locks that look for it.

No migration makes it: where it stands, a test has put it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final
from urllib.parse import unquote, urlsplit

import asyncpg

DATABASE: Final = "mana_test"
_ENDING: Final = "_test"
_VALUE: Final = "test"
_RETRY_SECONDS: Final = 0.2
_ANSWER_SECONDS: Final = 5
_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""What says nothing about the database: the server restarts, is full, or is not there yet."""


class NoTestDatabaseError(Exception):
    """The database is not one that a test may break; the message says by which lock."""


async def mark(owner_url: str) -> None:
    """Marks a database that a test has made. Raises ``NoTestDatabaseError`` where its name says otherwise."""
    require_name(owner_url)
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(
            "CREATE SCHEMA mana_meta; GRANT USAGE ON SCHEMA mana_meta TO PUBLIC;"
            "CREATE TABLE mana_meta.environment (value text PRIMARY KEY);"
            "GRANT SELECT ON mana_meta.environment TO PUBLIC;"
            f"INSERT INTO mana_meta.environment VALUES ('{_VALUE}')"
        )
    finally:
        await connection.close()


def require_name(url: str) -> None:
    """Raises ``NoTestDatabaseError`` unless the database's name ends in ``_test``."""
    name = unquote(urlsplit(url).path.removeprefix("/"))
    if not name.endswith(_ENDING):
        raise NoTestDatabaseError(f"the database {name!r} is no test's: its name does not end in {_ENDING}")


async def require_mark(url: str) -> None:
    """Returns once the mark was seen; waits for a server that is away. Raises ``NoTestDatabaseError`` without one."""
    waiting = False
    while True:
        try:
            if _VALUE in await _marks(url):
                return
            raise NoTestDatabaseError(f"mana_meta.environment does not hold {_VALUE!r}: no test has made this database")
        except _AWAY as error:
            if not waiting:
                sys.stderr.write(f"the mark of the test's database is looked for until there is a server: {error!r}\n")
            waiting = True
            await asyncio.sleep(_RETRY_SECONDS)


async def _marks(url: str) -> list[str]:
    connection = await asyncpg.connect(url, timeout=_ANSWER_SECONDS, command_timeout=_ANSWER_SECONDS)
    try:
        return [row["value"] for row in await connection.fetch("SELECT value FROM mana_meta.environment")]
    except (asyncpg.InvalidSchemaNameError, asyncpg.UndefinedTableError):
        return []
    finally:
        connection.terminate()
