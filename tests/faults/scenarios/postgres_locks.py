"""S11, S12: other sessions hold what the workers need, and the server ends statements and transactions."""

from __future__ import annotations

import time
from typing import Final

from tests.faults.oracle.outcomes import codes
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.errors import ToolError
from tests.faults.tools.obstacles import deadlock, role_setting, rule
from tests.faults.tools.telling import sqlstates

_DEADLOCK: Final = "40P01"
_SERIALISATION: Final = "40001"
_LOCK_TIMEOUT: Final = "55P03"
_CANCELLED: Final = "57014"
_TRIES: Final = 5
_PATIENCE: Final = 60.0
"""Seconds for which the clients of S12 wait: longer than the table is locked."""
_FAILING: Final = 0.5
_EPOCHS: Final = "SELECT sum(epoch) AS epochs FROM credits.partitions"


@scenario("S11", "deadlocks with a session that locks balances the other way round; serialisation failures", recovers=5)
async def s11(stage: Stage) -> None:
    """That says nothing about the commands: the batch is tried again whole, nothing is halved or kept."""
    await stage.workers.start(2)
    users = await stage.users()
    async with stage.load():
        for _ in range(stage.size(fast=1, usual=8, nightly=40)):
            await _deadlock(stage, users)
            await stage.pass_time(fast=0.5, usual=3, nightly=3)
        before = _seen(stage, _SERIALISATION)
        async with rule(stage.database, f"random() < {_FAILING}", _SERIALISATION, each="STATEMENT"):
            await stage.pass_time(fast=2, usual=20, nightly=60)
        stage.injected("serialisation failures", _seen(stage, _SERIALISATION) - before)
        await stage.recovers("the last failure", time.monotonic())
        await stage.pass_time(fast=0.5, usual=5, nightly=5)
    await _nobody_is_blamed(stage)


async def _deadlock(stage: Stage, users: list[str]) -> None:
    """A worker that has met the lock is ended by the server once; it may have begun to wait too early to be seen."""
    for _ in range(_TRIES):
        before = _seen(stage, _DEADLOCK)
        await deadlock(stage.database, users)
        await stage.recovers("a deadlock", time.monotonic())
        if met := _seen(stage, _DEADLOCK) - before:
            stage.injected("deadlocks that ended a batch", met)
            return
    raise ToolError(f"no worker was ended by a deadlock, in {_TRIES} tries")


async def _nobody_is_blamed(stage: Stage) -> None:
    again = [await worker.meter("mana_batch_retries_total") for worker in stage.workers.all]
    stage.figure("batches tried again whole", int(sum(again)))
    for meter, what in (("mana_batch_halvings_total", "halved"), ("mana_commands_poisoned_total", "kept")):
        blamed = sum([await worker.meter(meter) for worker in stage.workers.all])
        stage.must(not blamed, f"{blamed:.0f} batches or commands were {what} for what was not their fault")


@scenario("S12", "credits.balances locked for 20 s, also with a time limit for statements", recovers=5)
async def s12(stage: Stage) -> None:
    """Leases and sessions stay, and answers are late and not lost."""
    await stage.workers.start(2)
    await stage.workers.even()
    async with stage.load(deadline=_PATIENCE):
        await stage.pass_time(fast=1, usual=10, nightly=10)
        await _locked(stage, stage.size(fast=5.0, usual=20.0, nightly=20.0), _LOCK_TIMEOUT)
        async with role_setting(stage.database, "mana_worker", "statement_timeout", "1s"):
            await stage.workers.even()
            await stage.recovers("sessions with a time limit", time.monotonic())
            await _locked(stage, stage.size(fast=3.0, usual=10.0, nightly=10.0), _CANCELLED)
        await stage.recovers("sessions without a time limit", time.monotonic())
        await stage.pass_time(fast=1, usual=5, nightly=5)
    await _nobody_is_blamed(stage)


async def _locked(stage: Stage, seconds: float, expected: str) -> None:
    """Holds the table for so long; the workers meet the SQLSTATE that is expected."""
    since, before, epochs = time.time(), _seen(stage, expected), await _epochs(stage)
    sessions = await stage.database.sessions("worker-%")
    async with stage.database.locked("credits.balances"):
        stage.injected("credits.balances locked")
        await stage.pass_time(fast=seconds, usual=seconds, nightly=seconds)
        until = time.time()
    await stage.recovers("the table free again", time.monotonic())
    stage.injected(f"statements of workers ended by {expected}", _seen(stage, expected) - before)
    stage.must(_seen(stage, expected) > before, f"no statement was ended by {expected}")
    stage.must(await _epochs(stage) == epochs, "a partition changed hands because a table was locked")
    stage.must(await stage.database.sessions("worker-%") >= sessions, "a worker's session was lost for a locked table")
    said = codes(await stage.told(), "amqp", since, until)
    lost = {code: n for code, n in said.items() if code in {"timeout", "connection_lost", "internal", "silence"}}
    stage.must(not lost, f"commands sent to a locked table were not answered: {lost}")


async def _epochs(stage: Stage) -> int:
    (row,) = await stage.database.fetch(_EPOCHS)
    return row["epochs"]


def _seen(stage: Stage, code: str) -> int:
    """How often the workers have told of a SQLSTATE so far."""
    return sqlstates(line for worker in stage.workers.all for line in worker.lines())[code]
