"""S38: clocks that are wrong, jump, and go back, while midnights come and go."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from tests.faults.daily import breaches
from tests.faults.oracle.books import read_books
from tests.faults.oracle.journal import Outcome
from tests.faults.oracle.rest import rest
from tests.faults.scenario import NotPlayedError, scenario
from tests.faults.stage import Stage
from tests.faults.tools.clocks import DatabaseClock, ProcessClock, libfaketime
from tests.faults.tools.workers import Worker

_WRONG: Final = 7_200.0
_BEFORE: Final = timedelta(seconds=4)
"""How long before midnight the database's clock is set, each time."""
_STEPS_SECONDS: Final = 20
_DAILY: Final = 5
_LEAP_SECOND: Final = "2016-12-31T23:59:60Z"
_SKEWS: Final = {50: "acknowledged", -50: "acknowledged", 120: "not_accepted"}
"""By how many seconds one front is ahead of another, and what the other makes of a token from there."""


@scenario(
    "S38",
    "workers' clocks two hours ahead and behind, jumping, stepping back; midnights; fronts that disagree",
    recovers=5,
)
async def clocks(stage: Stage) -> None:
    """What falls due does so by the database's clock, whatever others show; and once, also when that one goes back."""
    library = await libfaketime()
    if library is None:
        raise NotPlayedError("libfaketime cannot be had here, and without it no process has a clock of its own")
    stage.refusals_kept = False
    database = DatabaseClock(stage.database)
    await database.install("mana_worker")
    workers = [await _worker(stage, library, ahead) for ahead in (_WRONG, -_WRONG)]
    await stage.workers.even()
    await stage.users()
    epochs = await _epochs(stage)
    async with stage.load():
        await _midnight(stage, database, "one worker two hours ahead, one behind")
        for worker, clock in workers:
            await _set(stage, worker, clock, -_WRONG if worker is workers[0][0] else _WRONG)
        await _midnight(stage, database, "both jumped by four hours")
        await _step_back(stage, workers)
        await _midnight(stage, database, "both stepped back")
        await _back_over_midnight(stage, database)
        await stage.recovers("wrong clocks", time.monotonic())
        await _deadlines(stage, database)
    stage.must(stage.workers.restarts == 0, "a worker died of its clock")
    stage.figure("partitions that changed hands", await _epochs(stage) - epochs)
    await _daily_credits(stage)
    await _fronts_disagree(stage, library)


async def _worker(stage: Stage, library: Path, ahead: float) -> tuple[Worker, ProcessClock]:
    clock = ProcessClock(library, stage.folder / f"clock-{ahead:+.0f}")
    clock.set(ahead)
    (worker,) = await stage.workers.start(environment=clock.environment)
    await clock.obeyed(worker, ahead)
    stage.injected("workers started with a wrong clock")
    return worker, clock


async def _set(stage: Stage, worker: Worker, clock: ProcessClock, ahead: float) -> None:
    clock.set(ahead)
    await clock.obeyed(worker, ahead)
    stage.injected("jumps of a worker's clock")


async def _step_back(stage: Stage, workers: list[tuple[Worker, ProcessClock]]) -> None:
    """A second, once in a second: the clock all but stands still."""
    for worker, clock in workers:
        await _set(stage, worker, clock, 0)
    steps = stage.size(fast=5, usual=_STEPS_SECONDS, nightly=10 * _STEPS_SECONDS)
    for step in range(1, steps + 1):
        await asyncio.sleep(1)
        for _, clock in workers:
            clock.set(-step)
    for worker, clock in workers:
        await clock.obeyed(worker, -steps)
    stage.injected("steps back of the workers' clocks", steps)


async def _midnight(stage: Stage, database: DatabaseClock, told: str) -> None:
    """The database's clock is set to shortly before its next midnight, which then passes under load."""
    now = await database.now()
    midnight = _next_midnight(now)
    await database.set(midnight - _BEFORE)
    await _passed(database, midnight)
    await stage.pass_time(fast=3.0, usual=10.0, nightly=60.0)
    stage.injected(f"midnights of the database with {told}")


async def _back_over_midnight(stage: Stage, database: DatabaseClock) -> None:
    """The day that has begun, and brought its credits, begins once more."""
    now = await database.now()
    midnight = _next_midnight(now) - timedelta(days=1)
    await database.set(midnight - _BEFORE)
    stage.must(await database.now() < midnight, "the database's clock did not go back")
    await _passed(database, midnight)
    await stage.pass_time(fast=2.0, usual=5.0, nightly=60.0)
    stage.injected("steps of the database's clock back over midnight")


def _next_midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


async def _passed(database: DatabaseClock, midnight: datetime) -> None:
    while await database.now() < midnight:
        await asyncio.sleep(0.2)


async def _deadlines(stage: Stage, database: DatabaseClock) -> None:
    """Are the database's too; and a leap second is no time that anything can be due at."""
    now = await database.now()
    over, to_come = ((now + timedelta(seconds=seconds)).isoformat() for seconds in (-5, 60))
    for user in (await stage.users())[:20]:
        late = await _use(stage, user, "over", deadline=over)
        stage.must(late.code == "deadline_exceeded", f"a deadline that is over: {late}")
        due = await _use(stage, user, "to-come", deadline=to_come)
        stage.must(due.cls == "acknowledged", f"a deadline that is to come: {due}")
        leap = await _use(stage, user, "leap", deadline=_LEAP_SECOND)
        stage.must(leap.code == "invalid_request", f"a deadline in a leap second: {leap}")
        grant = await stage.client.send(
            "grant", user, f"{stage.run}:leap-lot", amount=1, body_extra={"expiresAt": _LEAP_SECOND}
        )
        stage.must(grant.code == "invalid_request", f"an expiry in a leap second: {grant}")
        stage.injected("leap seconds", 2)


async def _epochs(stage: Stage) -> int:
    """All partitions' together: one more with each that changes hands."""
    ((epochs,),) = await stage.database.fetch("SELECT sum(epoch)::bigint FROM credits.partitions")
    return epochs


async def _use(stage: Stage, user: str, what: str, *, deadline: str) -> Outcome:
    return await stage.client.send("use", user, f"{stage.run}:{what}", amount=1, headers={"deadline": deadline})


async def _daily_credits(stage: Stage) -> None:
    books = await read_books(stage.database_url, await stage.users())
    granted = sum(row.key.startswith("daily:") for row in books.rows)
    stage.figure("grants of daily credits", f"{granted:,}")
    stage.must(granted, "no daily credits were granted")
    wrong = [f"{user}: {what}" for user, rows in books.by_user().items() for what in breaches(rows, _DAILY)]
    stage.must(not wrong, f"{len(wrong)} daily credits are wrong: {wrong[:3]}")


async def _fronts_disagree(stage: Stage, library: Path) -> None:
    """A token is good at another front while their clocks are a minute apart, and not when they are further."""
    clock = ProcessClock(library, stage.folder / "clock-front")
    (wrong,) = await stage.front.start(environment=clock.environment)
    (right,) = await stage.front.start()
    for ahead, expected in _SKEWS.items():
        clock.set(ahead)
        await clock.obeyed(wrong, ahead)
        async with rest(wrong.url, stage.journal) as signing_up, rest(right.url, stage.journal) as asking:
            await signing_up.sign_up(1)
            (user,) = signing_up.users
            outcome = await asking.use(user, f"{stage.run}:skew:{ahead}", 1)
        stage.must(outcome.cls == expected, f"a token from a front that is {ahead:+} s ahead: {outcome}")
        stage.injected("tokens of a front with another clock")
