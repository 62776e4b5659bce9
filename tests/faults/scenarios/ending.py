"""S24: workers are told to end while commands come in."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Final

from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.workers import Worker

_AGAIN_SECONDS: Final = 0.05
_TWICE: Final = "workers told twice to end"
_NOTHING_SECONDS: Final = 1.5
"""So long a ledger without workers is watched."""
_NOT_DRAINED: Final = "not drained in time: what is unfinished is left to others"


@scenario(
    "S24",
    "workers told to end (SIGTERM) under load: once, twice, the last one, and one whose database does not answer",
    recovers=15,
    fast=True,
)
async def s24(stage: Stage) -> None:
    """What is under way is finished and answered, the rest goes back in order, and nothing happens afterwards."""
    took: list[float] = []
    (last,) = await stage.workers.start()
    async with stage.load():
        for _ in stage.rounds(_TWICE, fast=1, usual=5, nightly=20):
            once, twice = await stage.workers.start(2)
            await stage.workers.even()
            took += [await _ends(stage, once), await _ends_told_twice(stage, twice)]
        took.append(await _ends(stage, last))
        await _nothing_happens(stage)
        stage.injected("times without any worker")
        began = time.monotonic()
        await stage.workers.start()
        await stage.recovers("a worker started where there was none", began)
        if stage.scale != "fast":
            await _ends_unheard(stage)
    stage.must(stage.notes.injected.get(_TWICE), "no worker was still at work when it was told a second time")
    stage.figure("workers ended within at most, s", max(took))


async def _ends(stage: Stage, worker: Worker) -> float:
    """Tells it to end; the seconds that it took."""
    began = time.monotonic()
    status = await worker.drain()
    _must_be_in_order(stage, worker, status)
    stage.injected("workers ended under load")
    return time.monotonic() - began


async def _ends_told_twice(stage: Stage, worker: Worker) -> float:
    """Again by its process id: were it told outside its supervisor first, it might be started again between."""
    began, process = time.monotonic(), worker.process
    draining = asyncio.create_task(worker.drain())
    await asyncio.sleep(_AGAIN_SECONDS)
    twice = process.is_alive()
    process.send(signal.SIGTERM)
    status = await draining
    _must_be_in_order(stage, worker, status)
    stage.injected(_TWICE, int(twice))
    return time.monotonic() - began


def _must_be_in_order(stage: Stage, worker: Worker, status: int) -> None:
    stage.must(status == 0, f"{worker.name} ended with {status}")
    stage.must(not _left(worker), f"{worker.name} did not finish what it had begun")


def _left(worker: Worker) -> bool:
    return any(line.get("event") == _NOT_DRAINED for line in worker.lines())


async def _nothing_happens(stage: Stage) -> None:
    """Without a worker no row is made, whatever its last one had begun."""
    rows = await _rows(stage)
    await asyncio.sleep(_NOTHING_SECONDS)
    stage.must(rows == await _rows(stage), "a row was made when the last worker had ended")


async def _ends_unheard(stage: Stage) -> None:
    """The database holds a worker's batch for longer than the worker may take to end: it goes without it."""
    (worker,) = await stage.workers.start()
    await stage.workers.even()
    async with stage.database.locked("credits.balances"):
        began = time.monotonic()
        status = await worker.drain()
        stage.figure("a worker without an answer from its database ended within, s", time.monotonic() - began)
        stage.must(status == 0, f"{worker.name} ended with {status} when its time was up")
        stage.must(_left(worker), f"{worker.name} says that it had nothing under way")
        stage.injected("workers ended with a batch under way")
    await stage.recovers("the database answers again", time.monotonic())


async def _rows(stage: Stage) -> int:
    ((rows,),) = await stage.database.fetch("SELECT count(*) FROM credits.transactions")
    return rows
