"""What stands in PostgreSQL about the users of a run, read in one snapshot."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
from msgspec import Struct


class Row(Struct, frozen=True):
    """A transaction; ``created_at`` in seconds since 1970, by the database's clock."""

    user: str
    key: str
    id: str
    sequence: int
    type: str
    amount: int
    balance_before: int
    balance_after: int
    partition: int
    created_at: float
    status: str = "completed"


class Account(Struct, frozen=True):
    """An account's figures; ``lots`` and ``postings`` are what these come to, each summed by itself."""

    user: str
    balance: int
    free: int
    sequence: int
    lots: int
    postings: int


@dataclass
class Books:
    """All of it. ``keys``: answers without a transaction; ``refusals``: (user, key, message id) of what was refused;
    ``of_others``: the rows since the run began of accounts that are not the run's.
    """

    rows: list[Row] = field(default_factory=list[Row])
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    keys: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    refusals: set[tuple[str, str, str]] = field(default_factory=set[tuple[str, str, str]])
    of_others: list[Row] = field(default_factory=list[Row])

    def by_key(self) -> dict[tuple[str, str], list[Row]]:
        """The rows under each (user, key): one each, where all is well."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row.user, row.key), []).append(row)
        return found

    def by_user(self) -> dict[str, list[Row]]:
        """Each user's rows, by sequence."""
        found: dict[str, list[Row]] = {}
        for row in sorted(self.rows, key=lambda row: row.sequence):
            found.setdefault(row.user, []).append(row)
        return found


_COLUMNS: Final = """
SELECT account_id::text, idempotency_key, id::text, sequence, type, amount, balance_before, balance_after, partition,
       extract(epoch FROM created_at)::float8, status
FROM credits.transactions
"""
_ROWS: Final = f"{_COLUMNS} WHERE account_id = ANY($1::text[]::uuid[])"
_ROWS_OF_OTHERS: Final = f"""
{_COLUMNS} WHERE account_id <> ALL($1::text[]::uuid[]) AND created_at >= to_timestamp($2::float8)
"""
_ACCOUNTS: Final = """
WITH mine AS (SELECT id::uuid, id AS text FROM unnest($1::text[]) AS id),
lots AS (
    SELECT account_id, sum(remaining)::bigint AS held
    FROM credits.lots WHERE account_id IN (SELECT id FROM mine) GROUP BY account_id
),
postings AS (
    SELECT account_id, sum(CASE WHEN destination = account_id::text THEN amount ELSE -amount END)::bigint AS held
    FROM credits.postings WHERE account_id IN (SELECT id FROM mine) GROUP BY account_id
)
SELECT account_id::text, balance, free_credits_remaining, sequence, coalesce(lots.held, 0), coalesce(postings.held, 0)
FROM credits.balances LEFT JOIN lots USING (account_id) LEFT JOIN postings USING (account_id)
WHERE account_id IN (SELECT id FROM mine)
"""
_KEYS: Final = """
SELECT account_id::text, idempotency_key FROM credits.keys WHERE account_id = ANY($1::text[]::uuid[])
"""
_REFUSALS: Final = """
SELECT account_id::text, idempotency_key, identity FROM credits.refusals WHERE account_id = ANY($1::text[]::uuid[])
"""


async def read_books(database_url: str, users: Collection[str], since: float | None = None) -> Books:
    """Reads as a login that sees all rows; others' rows only where ``since`` (seconds since 1970) is given.

    Raises asyncpg's errors.
    """
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await _read(connection, list(users), since)
    finally:
        await connection.close()


async def _read(connection: asyncpg.Connection, users: list[str], since: float | None) -> Books:
    def rows(found: list[Any]) -> list[tuple[Any, ...]]:
        return [tuple(record) for record in found]

    others = [] if since is None else rows(await connection.fetch(_ROWS_OF_OTHERS, users, since))
    accounts = [Account(*row) for row in rows(await connection.fetch(_ACCOUNTS, users))]
    return Books(
        rows=[Row(*row) for row in rows(await connection.fetch(_ROWS, users))],
        accounts={account.user: account for account in accounts},
        keys={(user, key) for user, key in rows(await connection.fetch(_KEYS, users))},
        refusals={(user, key, identity) for user, key, identity in rows(await connection.fetch(_REFUSALS, users))},
        of_others=[Row(*row) for row in others],
    )
