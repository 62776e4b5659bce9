"""The ledger's own rows, read by the login that may only read: an independent look at what replies claimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import asyncpg

from bench.errors import BenchError
from workers.ledger.audit.looking import audit

_HELD: Final = """
SELECT coalesce(sum(balance + free_credits_remaining), 0)::bigint FROM credits.balances WHERE account_id = any($1)
"""
_USED: Final = """
SELECT count(*), coalesce(-sum(amount), 0)::bigint FROM credits.transactions
WHERE account_id = any($1) AND type = 'usage'
"""


@dataclass(frozen=True)
class Books:
    """What the database says of some users: credits they hold, their usages, and the credits that these took."""

    held: int
    usages: int
    credits_used: int


async def read_books(url: str, users: list[str]) -> Books:
    """What the database says of these users. Raises ``BenchError`` where it cannot be asked."""
    try:
        connection = await asyncpg.connect(url)
        try:
            held = await connection.fetchval(_HELD, users)
            usages, credits_used = await connection.fetchrow(_USED, users)
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError) as error:
        raise BenchError(f"The database could not be asked for the users' balances: {error}.") from error
    return Books(held, usages, credits_used)


async def check_charged(url: str, users: list[str], charged: int, unknown: int = 0) -> None:
    """Raises ``BenchError`` unless these users have exactly so many usages, of one credit each; or up to ``unknown``
    more, whose answers did not come."""
    books = await read_books(url, users)
    if not charged <= books.usages <= charged + unknown or books.credits_used != books.usages:
        raise BenchError(
            f"{charged} uses were answered, but the ledger holds {books.usages} usages of"
            f" {books.credits_used} credits: no figure of this run means anything."
        )


async def check_invariants(url: str) -> None:
    """Raises ``BenchError`` unless the whole ledger, which its owner reads at this address, passes `./mana verify`."""
    broken = [finding for finding in await audit(url) if finding.violations]
    if broken:
        said = "; ".join(f"{finding.invariant.says}: {finding.violations} violations" for finding in broken)
        raise BenchError(f"The ledger's books are broken, so no figure of this run means anything: {said}.")
