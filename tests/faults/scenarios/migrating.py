"""S42: the schema is changed under load, while a transaction is open that stands in the way, and two versions work.

This version's own migrations come first, then three of the scenario's: one that adds columns to the hot tables
(expand), one that fills one of them (backfill), one that takes them away again (contract).
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Collection, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import asyncpg

from contracts.topology import COMMAND_QUEUE_ARGUMENTS_BEFORE, COMMANDS_EXCHANGE, command_queue, in_ring_order
from migrations import files, runner
from tests.faults.oracle.journal import Told
from tests.faults.oracle.mix import Mix
from tests.faults.oracle.outcomes import codes
from tests.faults.oracle.population import fresh_users, prepare
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.kept import Kept
from tests.faults.tools.versions import Version, oldest_that_survives

LONGEST: Final = 3.0
"""Seconds that a command may wait for its answer while the schema changes."""
_EXPAND, _BACKFILL, _CONTRACT = 9001, 9002, 9003
_SYNTHETIC: Final = {
    "9001_expand.sql": """-- phase: expand
ALTER TABLE credits.balances ADD COLUMN s42 bigint;
ALTER TABLE credits.transactions ADD COLUMN s42 bigint;
ALTER TABLE credits.keys ADD COLUMN s42 bigint;
ALTER TABLE credits.refusals ADD COLUMN s42 bigint;
ALTER TABLE credits.lots ADD COLUMN s42 bigint;
""",
    # Accounts in the order in which the workers lock them; each batch is committed, so that nobody waits for all.
    "9002_backfill.sql": """-- phase: expand
-- mana: no-transaction
DO $$ BEGIN
    LOOP
        UPDATE credits.balances SET s42 = sequence WHERE account_id IN (
            SELECT account_id FROM credits.balances WHERE s42 IS NULL ORDER BY account_id LIMIT 100
            FOR NO KEY UPDATE);
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END $$;
""",
    "9003_contract.sql": """-- phase: contract
ALTER TABLE credits.balances DROP COLUMN s42;
ALTER TABLE credits.transactions DROP COLUMN s42;
ALTER TABLE credits.keys DROP COLUMN s42;
ALTER TABLE credits.refusals DROP COLUMN s42;
ALTER TABLE credits.lots DROP COLUMN s42;
""",
}
_READ_ALL: Final = """
SELECT (SELECT count(*) FROM credits.balances), (SELECT count(*) FROM credits.transactions),
       (SELECT count(*) FROM credits.keys), (SELECT count(*) FROM credits.refusals),
       (SELECT count(*) FROM credits.lots), (SELECT count(*) FROM auth.app_secrets)
"""
_LOCK_ONE: Final = "SELECT FROM credits.balances WHERE account_id = $1::uuid FOR UPDATE"
_UNFILLED: Final = "SELECT count(*) AS unfilled FROM credits.balances WHERE s42 IS NULL"
_LOST: Final = frozenset({"timeout", "connection_lost", "internal", "silence"})
_MIX: Final = Mix(use=0.60, rest=0.10, refund=0.05, grant=0.05)


@scenario(
    "S42",
    "the schema changed under load, with the version before at work and a transaction open that stands in the way",
    recovers=5,
)
async def s42(stage: Stage) -> None:
    """No command waits for longer than three seconds, and whoever carries it out is right."""
    with oldest_that_survives() as before, _migrations() as folder:
        stage.figure("the version before", f"{before.commit[:7]}, whose schema ends with {before.schema:04d}")
        await _begin(stage, before)
        old = [*await stage.workers.start(2, checkout=before.checkout)]
        old_front = await stage.start_front(checkout=before.checkout)
        idle = fresh_users(1)
        await prepare(stage.client, idle, 1)
        async with stage.load(mix=_MIX):
            await stage.pass_time(fast=2, usual=10, nightly=30)
            course = _Course(stage, folder, idle[0])
            newest = max(one.number for one in files.read_all())
            await course.migrate("this version's migrations", newest)
            new = [*await stage.workers.start(2)]
            new_front = await stage.start_front()
            await course.both_work(old, new)
            await course.migrate("expand", _EXPAND)
            await course.migrate("backfill", _BACKFILL)
            (row,) = await stage.database.fetch(_UNFILLED)
            stage.must(not row["unfilled"], f"{row['unfilled']} balances were passed over by the backfill")
            await course.both_work(old, new)
            await _end(stage, [*old, *old_front])
            await course.migrate("contract", _CONTRACT)
            await stage.pass_time(fast=2, usual=10, nightly=30)
        await course.judge()
        await _nobody_was_let_down(stage, course.began, [*new, *new_front])


class _Course:
    """The migrations, one after another."""

    def __init__(self, stage: Stage, folder: Path, idle: str) -> None:
        """``idle``: a user whom nothing is sent about."""
        self.began = time.time()
        self._windows: dict[str, tuple[float, float]] = {}
        self._stage = stage
        self._folder = folder
        self._idle = idle

    async def migrate(self, what: str, up_to: int) -> None:
        """Applies all up to this number, beside a transaction that is older than they are."""
        stage, told = self._stage, list[str]()
        seconds = stage.size(fast=6.0, usual=30.0, nightly=30.0)
        began = time.time()
        async with self._transaction():
            wish = runner.Wish(up_to=up_to, folder=self._folder)
            running = asyncio.create_task(runner.migrate(stage.database_url, wish, told.append))
            await asyncio.sleep(seconds)
        applied = await running
        ended = time.monotonic()
        self._windows[what] = began, time.time()
        stage.injected("migrations applied", len(applied))
        stage.injected(f"transactions of {seconds:.0f} s in their way")
        given_up = sum("waits for a lock" in line for line in told)
        stage.injected("locks that the migrator gave up waiting for", given_up)
        stage.must(given_up, f"{what}: nothing stood in the way of the migrator: {told}")
        await stage.recovers(what, ended)

    async def judge(self) -> None:
        """To be asked when the load is over: how long the answers took that were waited for during a migration.

        A request over REST is answered when the front says that the ledger has not done it yet, too.
        """
        told = await self._stage.told()
        for what, (began, ended) in self._windows.items():
            figures = [f"{ended - began:.1f}"]
            for over in ("amqp", "rest"):
                waits = _waits(told, over, began, ended)
                longest, p99 = waits[-1], waits[int(0.99 * len(waits))]
                figures.append(f"over {over.upper()} {longest:.2f}, {p99:.2f}")
                said = f"{what}: a command over {over.upper()} waited {longest:.2f} s, {LONGEST:.0f} s are allowed"
                self._stage.must(longest <= LONGEST, said)
            self._stage.figure(f"{what}: seconds; longest wait and 99th percentile, s", "; ".join(figures))

    async def both_work(self, old: Collection[Kept], new: Collection[Kept]) -> None:
        """Lets workers of both versions have their shares, and carry commands out."""
        await self._stage.workers.even()
        for version, workers in (("before", old), ("now", new)):
            done = await self._done_by(workers)
            await self._stage.pass_time(fast=1, usual=5, nightly=5)
            carried = await self._done_by(workers) - done
            self._stage.injected(f"commands carried out by the version of {version} beside the other", int(carried))
            self._stage.must(carried, f"the version of {version} carried nothing out")

    async def _done_by(self, workers: Collection[Kept]) -> float:
        return sum([await worker.meter("mana_commands_total") for worker in workers])

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[None]:
        """Has read all that is hot, as a dump does, and holds the row of one account."""
        async with self._stage.database.session() as session, session.transaction(isolation="repeatable_read"):
            await session.execute(_READ_ALL)
            await session.execute(_LOCK_ONE, self._idle)
            yield


@contextmanager
def _migrations() -> Generator[Path]:
    """A folder with this version's migrations, and the scenario's own behind them."""
    with tempfile.TemporaryDirectory(prefix="mana-migrations-") as name:
        folder = Path(name) / "sql"
        shutil.copytree(files.FOLDER, folder)
        for file, sql in _SYNTHETIC.items():
            (folder / file).write_text(sql, encoding="utf-8")
        yield folder


def _waits(told: Told, transport: str, since: float, until: float) -> list[float]:
    """Seconds to the first answer of all that were sent or under way between these times, in order."""
    return sorted(
        outcomes[0].at - told.attempts[n].sent_at
        for n, outcomes in told.outcomes.items()
        if told.attempts[n].transport == transport and told.attempts[n].sent_at < until and outcomes[0].at >= since
    )


async def _begin(stage: Stage, before: Version) -> None:
    """The database and the queues as the version before had them, and empty."""
    owner = await asyncpg.connect(stage.database_url)
    try:
        await owner.execute("DROP SCHEMA credits, auth, mana CASCADE")
    finally:
        await owner.close()
    wish = runner.Wish(up_to=before.schema, partitions=stage.scenario.partitions)
    await runner.migrate(stage.database_url, wish, lambda _line: None)
    # No argument of a queue can be changed: a place that was laid out by the version before has its queues to this day.
    queues = [command_queue(partition) for partition in in_ring_order(range(stage.scenario.partitions))]
    await stage.broker.lay_anew(COMMANDS_EXCHANGE, queues, COMMAND_QUEUE_ARGUMENTS_BEFORE)


async def _end(stage: Stage, processes: Collection[Kept]) -> None:
    for process in processes:
        status = await process.drain()
        stage.must(status == 0, f"{process.name}, of the version before, ended with {status}")
    await stage.workers.even()


async def _nobody_was_let_down(stage: Stage, since: float, processes: Collection[Kept]) -> None:
    """Every command is answered, no request fails, and no process needed a second life."""
    said = codes(await stage.told(), "amqp", since)
    lost = {code: times for code, times in said.items() if code in _LOST}
    stage.must(not lost, f"commands that were not answered: {lost}")
    answers = stage.front.answers
    told = ", ".join(f"{times} {answer.status or 'lost'}" for answer, times in sorted(answers.items(), key=str))
    stage.figure("answers over REST", told)
    stage.must(not any(answer.failed for answer in answers), f"requests over REST failed: {told}")
    again = {process.name: process.restarts for process in processes if process.restarts}
    stage.must(not again and not stage.workers.restarts, f"processes that were started again: {again}")
