"""One user in each partition, and how soon each partition answers."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import asyncpg

from tests.faults.oracle.client import Client
from tests.faults.oracle.equations import ANSWER_SECONDS
from tests.faults.oracle.population import fresh_users, prepare

_PAUSE_SECONDS: Final = 0.1
_TRIES: Final = 20
_SOMEBODY: Final = """
SELECT DISTINCT ON (partition) partition, account_id::text
FROM credits.transactions WHERE account_id = ANY($1::text[]::uuid[]) ORDER BY partition, account_id
"""


async def probe_users(client: Client, database_url: str, users: list[str], partitions: int) -> dict[int, str]:
    """A user of each partition, of ``users`` where these meet it; accounts are opened for those that they do not.

    Where a user's commands go is known by the partition of the user's rows. Raises ``AssertionError`` where a partition
    is never met.
    """
    found = await _of_rows(database_url, users)
    for _ in range(_TRIES):
        if len(found) == partitions:
            return found
        more = fresh_users(2 * partitions)
        await prepare(client, more, 1)
        found = {**await _of_rows(database_url, more), **found}
    raise AssertionError(f"of {partitions} partitions only {sorted(found)} were ever met")


async def _of_rows(database_url: str, users: list[str]) -> dict[int, str]:
    connection = await asyncpg.connect(database_url)
    try:
        return {row["partition"]: row["account_id"] for row in await connection.fetch(_SOMEBODY, users)}
    finally:
        await connection.close()


async def probe(client: Client, users: dict[int, str], within: float) -> dict[int, float | None]:
    """Seconds from now until each partition has answered a command in time; ``None`` where none did ``within``.

    The command writes (a grant of one credit), so it is answered only where all works, and after all that lay in the
    partition's queue before it.
    """
    start = time.monotonic()

    async def one(partition: int, user: str) -> tuple[int, float | None]:
        while (began := time.monotonic()) - start < within:
            key = f"{client.journal.run}:probe:{partition}:{time.monotonic_ns()}"
            outcome = await client.send("grant", user, key, amount=1, deadline=ANSWER_SECONDS)
            now = time.monotonic()
            if outcome.cls == "acknowledged" and now - began <= ANSWER_SECONDS:
                return partition, now - start
            await asyncio.sleep(_PAUSE_SECONDS)
        return partition, None

    return dict(await asyncio.gather(*(one(partition, user) for partition, user in users.items())))
