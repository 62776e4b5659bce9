"""Whether the database has a schema that this code can work with: a process that does not find one is not ready."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg

from api.database import Database, one
from api.errors import Unavailable
from api.sql import Statements
from contracts.schema import KNOWN

SCHEMA_NEEDED: Final = 36
"""The last migration that this code does not do without: it runs before later ones, known ones, are applied."""

_SQL: Final = Statements(Path(__file__).parent / "sql")
_NONE: Final = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError)


async def check(database: Database) -> None:
    """Returns once the database has answered, with such a schema. Raises ``Unavailable``, in words for the operator."""
    async with database.statement() as connection:
        try:
            schema = one(await connection.fetchrow(_SQL["schema_version"]))
        except _NONE as error:
            raise _unfit("the database has no schema of ours yet: run ./mana migrate") from error
    newest, contracted = schema["newest"], schema["contracted"]
    if newest < SCHEMA_NEEDED:
        raise _unfit(f"the schema stands at {newest:04d}, and {SCHEMA_NEEDED:04d} is needed: run ./mana migrate")
    if contracted > KNOWN:
        raise _unfit(f"the schema has gone on to {contracted:04d}, which this process is too old for: update it")


def _unfit(reason: str) -> Unavailable:
    return Unavailable("postgresql", reason)
