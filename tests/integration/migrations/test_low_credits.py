"""Migrations 0029 and 0032 on a database in use: no large table is read under the lock that stops everybody."""

from __future__ import annotations

import asyncpg
import pytest

from migrations.runner import Wish, migrate
from tests.integration.ledger.server import Database

_ADDED = """
SELECT conname FROM pg_constraint
WHERE conrelid IN ('credits.balances'::regclass, 'credits.transactions'::regclass) AND contype = 'c'
    AND pg_get_constraintdef(oid) LIKE '%low_threshold%' AND convalidated = $1
ORDER BY conname
"""
_NAMES = ["balances_low_threshold", "transactions_low_threshold"]


async def test_a_database_in_use(empty: Database, by_hand: asyncpg.Connection) -> None:
    owner = empty.url("mana_owner")
    await migrate(owner, Wish(up_to=29, partitions=1), lambda _line: None)
    assert [row["conname"] for row in await by_hand.fetch(_ADDED, False)] == _NAMES, "unproven"
    await migrate(owner, Wish(up_to=32), lambda _line: None)
    assert [row["conname"] for row in await by_hand.fetch(_ADDED, True)] == _NAMES
    await _add(by_hand, 1)
    for wrong in (0, 1_000_000_001):
        with pytest.raises(asyncpg.CheckViolationError):
            await _add(by_hand, wrong)


async def _add(by_hand: asyncpg.Connection, threshold: int) -> None:
    await by_hand.execute(
        "INSERT INTO credits.balances (account_id, balance, free_credits_remaining, total_earned, total_spent,"
        " sequence, last_daily, opening_key, created_at, low_threshold)"
        " VALUES (gen_random_uuid(), 0, 0, 0, 0, 1, now(), 'k', now(), $1)",
        threshold,
    )
