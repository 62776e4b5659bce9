"""S06: PostgreSQL ends without a shutdown, and comes back."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from tests.faults.oracle.outcomes import codes
from tests.faults.scenario import scenario
from tests.faults.scenarios.postgres_sessions import committed_unanswered
from tests.faults.stage import Stage
from tests.faults.tools.obstacles import commits_hang
from tests.faults.tools.telling import sqlstates, until

_IN_COMMIT_SECONDS: Final = 20.0
_IN_COMMIT: Final = """
SELECT FROM pg_stat_activity WHERE application_name LIKE 'worker-%' AND query = 'COMMIT' AND wait_event = 'SyncRep'
"""
_AWAY: Final = frozenset({"57P01", "57P02", "57P03", "08003", "08006"})
"""What sessions are told, or the driver says for them, of a server that ends, or is not there yet."""


@scenario("S06", "PostgreSQL restarted in the middle of everything (-m immediate), and killed", recovers=10, fast=True)
async def s06(stage: Stage) -> None:
    """By turns, every 15 s: what was acknowledged is durable, and a COMMIT without an answer is resolved by its key."""
    await stage.workers.start(2)
    if stage.scale != "fast":
        await stage.start_front()
    async with stage.load():
        for _ in range(stage.size(fast=1, usual=3, nightly=20)):
            await _once(stage, "PostgreSQL restarted", stage.database.restart_immediate)
            await _once(stage, "PostgreSQL killed", stage.database.kill)
            await _once(stage, "PostgreSQL restarted inside a COMMIT", partial(_restart_inside_commit, stage))
        await stage.pass_time(fast=1, usual=5, nightly=15)
    await _tell(stage)


async def _once(stage: Stage, what: str, end: Callable[[], Awaitable[None]]) -> None:
    began, before = time.monotonic(), stage.database.server.restarts
    await stage.pass_time(fast=1, usual=5, nightly=5)
    await end()
    await stage.database.wait_up()
    stage.injected(what, stage.database.server.restarts > before)
    await stage.recovers(what, time.monotonic())
    rest = stage.size(fast=0.0, usual=15.0, nightly=15.0) - (time.monotonic() - began)
    if rest > 0:
        await stage.pass_time(fast=rest, usual=rest, nightly=rest)


async def _restart_inside_commit(stage: Stage) -> None:
    """The server ends when a worker's COMMIT is durable, and not answered."""

    async def in_commit() -> bool:
        return bool(await stage.database.fetch(_IN_COMMIT))

    async with commits_hang(stage.database):
        await until(in_commit, "a worker waits for its COMMIT", _IN_COMMIT_SECONDS)
        await stage.database.restart_immediate()
        await stage.database.wait_up()


async def _tell(stage: Stage) -> None:
    lines = [line for worker in stage.workers.all for line in worker.lines()]
    seen = sqlstates(lines)
    stage.figure("SQLSTATEs that the workers met", ", ".join(f"{code} ({n})" for code, n in sorted(seen.items())))
    stage.must(seen.keys() & _AWAY, f"no worker was told that the server was away, but: {dict(seen)}")
    told = await stage.told()
    unanswered = committed_unanswered(told)
    stage.figure("commands whose COMMIT was done and its answer lost", unanswered)
    stage.must(unanswered, "no command was committed whose COMMIT had no answer: nothing was ended inside one")
    failed = codes(told, "rest").keys() & {"internal", "status_500"}
    stage.must(not failed, f"the front answered {', '.join(failed)} because PostgreSQL was away")
