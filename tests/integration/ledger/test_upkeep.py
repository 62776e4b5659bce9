"""What happens beside the batches: pruning, and finding whose lots have expired; and how updates stay cheap."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from contracts.errors import Error
from tests.integration.ledger.owner import Owner, fresh_user, request, use
from tests.integration.ledger.server import Database
from workers.ledger.faults import Fault
from workers.ledger.store.expired import ExpiredLots
from workers.ledger.store.journal import Journal
from workers.ledger.store.pruning import prune_refusals
from workers.ledger.store.reader import Reader


async def test_refusals_are_forgotten_after_a_day_a_few_at_a_time(owner: Owner, by_hand: asyncpg.Connection) -> None:
    await owner.do(*(use(fresh_user(), 1, "k") for _ in range(7)))
    await by_hand.execute(
        "UPDATE credits.refusals SET created_at = now() - interval '25 hours' WHERE account_id IN"
        " (SELECT account_id FROM credits.refusals LIMIT 5)"
    )
    assert await prune_refusals(owner.session, 3, timedelta(hours=26)) == 0
    assert [await prune_refusals(owner.session, 3) for _ in range(3)] == [3, 2, 0]
    assert await by_hand.fetchval("SELECT count(*) FROM credits.refusals") == 2


async def test_what_was_too_much_is_forgotten_after_ten_minutes(owner: Owner, by_hand: asyncpg.Connection) -> None:
    excess = Error("overloaded", "too many", {})
    asked = [use(fresh_user(), 1, key) for key in ("old", "old", "new", "other")]
    await owner.do(*(msgspec.structs.replace(one, excess=excess) for one in asked[:3]), asked[3])
    await by_hand.execute(
        "UPDATE credits.refusals SET created_at = now() - interval '11 minutes' WHERE idempotency_key <> 'new'"
    )
    assert [await prune_refusals(owner.session, 1) for _ in range(3)] == [1, 1, 0]
    left = await by_hand.fetch("SELECT idempotency_key, code FROM credits.refusals ORDER BY 1")
    assert [tuple(row) for row in left] == [("new", "overloaded"), ("other", "unknown_user")]


async def test_pruning_of_both_kinds_takes_no_more_than_it_may(owner: Owner, by_hand: asyncpg.Connection) -> None:
    excess = Error("overloaded", "too many", {})
    asked = [use(fresh_user(), 1, "k") for _ in range(4)]
    await owner.do(*asked[:2], *(msgspec.structs.replace(one, excess=excess) for one in asked[2:]))
    await by_hand.execute("UPDATE credits.refusals SET created_at = now() - interval '25 hours'")
    assert [await prune_refusals(owner.session, 3) for _ in range(3)] == [3, 1, 0]


async def test_pruning_waits_for_nobody(owner: Owner, by_hand: asyncpg.Connection) -> None:
    await owner.do(use(fresh_user(), 1, "k"))
    await by_hand.execute("UPDATE credits.refusals SET created_at = now() - interval '25 hours'")
    async with by_hand.transaction():
        await by_hand.execute("SELECT FROM credits.refusals FOR UPDATE")
        assert await prune_refusals(owner.session) == 0
    assert await prune_refusals(owner.session) == 1


async def test_whose_lots_have_expired(owner: Owner, database: Database, by_hand: asyncpg.Connection) -> None:
    users = [await owner.open() for _ in range(3)]
    soon = await by_hand.fetchval("SELECT to_char(now() + interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SSOF:00')")
    for user in users:
        grants = [
            request("credits.grant", user, f"g{n}", amount=9, description="x", source="bonus", expiresAt=soon)
            for n in range(2)
        ]
        await owner.do(*grants)
    expired = ExpiredLots(database.url("mana_worker"))
    assert await expired.read(10) == []
    await by_hand.execute(
        "UPDATE credits.lots SET expires_at = now() - interval '1 s' WHERE expires_at IS NOT NULL AND account_id <> $1",
        users[2],
    )
    found = await expired.read(10)
    assert sorted(lot.account_id for lot in found) == sorted(2 * users[:2])
    # All four expired at one moment: a page goes on behind the lot that the last one ended with.
    paged = await expired.read(3)
    paged += await expired.read(3, paged[-1])
    assert paged == found
    assert await expired.read(3, paged[-1]) == []
    await owner.do(request("credits.expire", users[0]))
    assert {lot.account_id for lot in await expired.read(10)} == {users[1]}
    await expired.close()


async def test_a_reader_comes_back_by_itself_and_cannot_write(
    owner: Owner, database: Database, by_hand: asyncpg.Connection
) -> None:
    reader = Reader(database.url("mana_worker"), application_name="test")
    # A worker's role is told to fall silent for 10 s at most: not this session, which has no locks.
    assert (await reader.fetch("SELECT current_setting('idle_session_timeout') AS silence"))[0]["silence"] == "0"
    pid = (await reader.fetch("SELECT pg_backend_pid() AS pid"))[0]["pid"]
    await by_hand.execute("SELECT pg_terminate_backend($1)", pid)
    with suppress(Fault):  # or it has noticed already, and is another one
        await reader.fetch("SELECT 1")
    assert (await reader.fetch("SELECT pg_backend_pid() AS pid"))[0]["pid"] != pid
    with pytest.raises(Fault, match="25006"):
        await reader.fetch("DELETE FROM credits.workers")
    await reader.close()


async def test_closing_what_was_never_opened(database: Database) -> None:
    await Journal(database.url("mana_worker")).close()


async def test_burning_a_part_of_a_lot_is_a_hot_update(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user = await owner.open()
    for number in range(20):
        await owner.use(user, 1, f"k{number}")
    await owner.session.fetch("SELECT pg_stat_force_next_flush()")
    for table in ("lots", "balances", "partitions"):
        row = await by_hand.fetchrow(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE schemaname = 'credits' AND relname = $1",
            table,
        )
        assert row is not None
        assert row["n_tup_upd"] >= 19, table
        assert row["n_tup_hot_upd"] >= row["n_tup_upd"] - 1, table
