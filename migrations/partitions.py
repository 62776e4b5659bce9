"""The rows of ``credits.partitions``: as many as the broker has queues for commands, and never another number."""

from __future__ import annotations

import asyncpg

from contracts.topology import PARTITIONS_DEFAULT
from migrations.errors import MigrationError


async def ensure(connection: asyncpg.Connection, wanted: int | None) -> str | None:
    """Makes the rows, as many as wanted or as the contract's default, and says so; ``None``: nothing was to be done.

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
