"""The rows of ``credits.partitions``: as many as the broker has queues for commands, and never another number."""

from __future__ import annotations

from typing import Final

import asyncpg

from migrations.errors import MigrationError

PARTITIONS_DEFAULT: Final = 32


async def ensure(connection: asyncpg.Connection, wanted: int | None) -> str | None:
    """Makes the rows, 32 unless told otherwise, and says so; ``None`` where nothing was to be done.

    Raises MigrationError where there are rows already, and not as many as wanted: users would change their partition.
    """
    if await connection.fetchval("SELECT to_regclass('credits.partitions')") is None:
        return None
    there = await connection.fetchval("SELECT count(*) FROM credits.partitions")
    if there == 0:
        number = wanted or PARTITIONS_DEFAULT
        await connection.execute(
            "INSERT INTO credits.partitions (partition) SELECT generate_series(0, $1::integer - 1)", number
        )
        return f"made {number} partitions"
    if wanted is not None and wanted != there:
        raise MigrationError(
            f"This ledger has {there} partitions, not {wanted}: the number cannot be changed, ask for {there}."
        )
    return None
