"""Writing transactions as they are seen under way, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.faults.tools.postgres import Database

_LOOK_SECONDS: Final = 0.005
_WRITING: Final = """
SELECT backend_xid::text AS xid, extract(epoch FROM clock_timestamp())::float8 AS seen
FROM pg_stat_activity WHERE usename = $1 AND backend_xid IS NOT NULL
"""
_FATES: Final = "SELECT xid, pg_xact_status(xid::xid8) AS fate FROM unnest($1::text[]) AS xid"


@dataclass
class Transactions:
    """When each was seen first and last (seconds since 1970), by its id."""

    seen: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def across(self, moments: Iterable[float]) -> set[str]:
        """Those that were seen before and after one of the moments."""
        moments = list(moments)
        return {xid for xid, (first, last) in self.seen.items() if any(first < moment < last for moment in moments)}


@asynccontextmanager
async def watched(database: Database, role: str) -> AsyncGenerator[Transactions]:
    """Looks for the role's until the block ends."""
    transactions = Transactions()

    async def look() -> None:
        async with database.session() as session:
            while True:
                for xid, seen in await session.fetch(_WRITING, role):
                    first, _ = transactions.seen.get(xid, (seen, seen))
                    transactions.seen[xid] = (first, seen)
                await asyncio.sleep(_LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield transactions
    finally:
        looking.cancel()
        for outcome in await asyncio.gather(looking, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def fates(database: Database, xids: Iterable[str]) -> dict[str, str]:
    """``committed``, ``aborted`` or ``in progress``, by id."""
    return {row["xid"]: row["fate"] for row in await database.fetch(_FATES, list(xids))}
