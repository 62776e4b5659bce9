"""The regular verification: it finds what is broken, tells it until it is not, and stands in nobody's way."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from datetime import timedelta

import asyncpg
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ops.place import CHECKOUT
from tests.integration.ledger.owner import Owner
from tests.integration.ledger.server import Database
from workers.ledger.audit import verifying
from workers.ledger.audit.verifying import Verifying, VerifyingMeters

DAY = timedelta(days=1)


class Clock:
    """A verification as the clock worker does it, and what its page tells."""

    def __init__(self, database: Database) -> None:
        self.began = time.time()
        self.registry = CollectorRegistry()
        meters = VerifyingMeters(self.registry)
        self.work = Verifying(database.url("mana_worker"), DAY, meters, application_name="clock")

    def tells(self, what: str) -> float:
        found = self.registry.get_sample_value(f"mana_ledger_{what}")
        assert found is not None
        return found


@pytest.fixture
def clock(database: Database) -> Clock:
    return Clock(database)


@pytest.fixture
async def looking(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    """Looks while another connection holds a lock."""
    connection = await asyncpg.connect(database.admin)
    yield connection
    await connection.close()


async def noted(by_hand: asyncpg.Connection) -> list[list[str]]:
    """What each verification found broken."""
    return [row["broken"] for row in await by_hand.fetch("SELECT broken FROM mana.verifications ORDER BY id")]


async def test_a_sound_ledger_is_verified_once_in_its_time(
    owner: Owner, clock: Clock, by_hand: asyncpg.Connection
) -> None:
    await owner.open()
    for _ in range(2):
        await clock.work.round()
    assert await noted(by_hand) == [[]]
    now = float(str(await by_hand.fetchval("SELECT extract(epoch FROM now())")))
    assert now - 60 < clock.tells("verified_timestamp_seconds") <= now
    assert clock.tells("broken_invariants") == 0
    assert clock.tells("verification_seconds") > 0
    assert clock.tells("verification_interval_seconds") == DAY.total_seconds()
    await by_hand.execute("UPDATE mana.verifications SET begun_at = begun_at - interval '1 day'")
    await clock.work.round()
    assert await noted(by_hand) == [[], []]


async def test_what_is_broken_is_told_until_a_verification_finds_it_whole(
    owner: Owner, database: Database, clock: Clock, by_hand: asyncpg.Connection
) -> None:
    """Also one by hand, as ./mana verify is: it is noted too."""
    user = await owner.open()
    await by_hand.execute("UPDATE credits.balances SET balance = balance + 1 WHERE account_id = $1", user)
    with capture_logs() as logs:
        await clock.work.round()
    ((*broken,),) = await noted(by_hand)
    assert "balance_is_lots" in broken
    assert clock.tells("broken_invariants") == len(broken)
    told = [entry for entry in logs if entry["log_level"] == "error"]
    assert [entry["invariant"] for entry in told] == broken
    assert all(user in str(entry["named"]) for entry in told if entry["invariant"] == "balance_is_lots")
    await by_hand.execute("UPDATE credits.balances SET balance = balance - 1 WHERE account_id = $1", user)
    done = subprocess.run(
        [sys.executable, "-m", "workers.ledger.audit", "--note"],
        cwd=CHECKOUT,
        env={"DATABASE_URL": database.url("mana_owner"), "COLUMNS": "100"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    await clock.work.round()
    assert clock.tells("broken_invariants") == 0
    assert await noted(by_hand) == [broken, []]


async def test_only_one_verifies_at_a_time(clock: Clock, by_hand: asyncpg.Connection) -> None:
    await by_hand.execute("SELECT pg_advisory_lock($1)", verifying.LOCK)
    await clock.work.round()
    assert await noted(by_hand) == []
    await by_hand.execute("SELECT pg_advisory_unlock($1)", verifying.LOCK)
    await clock.work.round()
    assert await noted(by_hand) == [[]]


async def test_it_ends_at_once_in_the_midst_and_leaves_no_statement_behind(
    clock: Clock, by_hand: asyncpg.Connection, looking: asyncpg.Connection
) -> None:
    async with by_hand.transaction():
        await by_hand.execute("LOCK TABLE credits.balances IN ACCESS EXCLUSIVE MODE")
        working = asyncio.create_task(clock.work.run())
        await _until(looking, "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'clock-audit'"
                     " AND wait_event_type = 'Lock'")  # fmt: skip
        clock.work.stop()
        async with asyncio.timeout(3):  # the lock is waited for four seconds
            await working
        await _until(looking, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'clock-audit'")
    assert await noted(by_hand) == []


async def test_a_ledger_that_cannot_be_read_is_neither_broken_nor_whole(
    clock: Clock, by_hand: asyncpg.Connection
) -> None:
    """And the wait for its verification begins with the process."""
    await by_hand.execute("REVOKE SELECT ON credits.usage_stats FROM mana_worker")
    with capture_logs() as logs:
        await clock.work.round()
    assert [entry["event"] for entry in logs] == ["the ledger is not verified"]
    assert await noted(by_hand) == []
    assert math.isnan(clock.tells("broken_invariants"))
    assert clock.began <= clock.tells("verified_timestamp_seconds") <= time.time()


async def _until(looking: asyncpg.Connection, question: str) -> None:
    async with asyncio.timeout(10):
        while not await looking.fetchval(question):
            await asyncio.sleep(0.02)
