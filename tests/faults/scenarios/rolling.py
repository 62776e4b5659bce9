"""S25: everything of ours is restarted, one after another, and nobody outside should see it."""

from __future__ import annotations

import time

from tests.faults.scenario import scenario
from tests.faults.stage import PATIENCE, Stage


@scenario("S25", "4 workers and 2 fronts restarted one after another, again and again", recovers=30)
async def s25(stage: Stage) -> None:
    """Each worker is a new one afterwards; a balancer passes a front by that takes no connection."""
    await stage.workers.start(4)
    await stage.start_front(2)
    async with stage.load():
        for _ in range(stage.size(fast=1, usual=2, nightly=10)):
            await _restart_workers(stage)
            await _restart_fronts(stage)
        await stage.pass_time(fast=1, usual=5, nightly=5)
    answers = stage.front.answers
    failed = sum(times for answer, times in answers.items() if answer.failed)
    told = ", ".join(f"{times} {answer.status or 'lost'}" for answer, times in sorted(answers.items(), key=str))
    stage.figure("answers over REST", told)
    stage.must(failed * 1_000 < answers.total(), f"{failed} of {answers.total()} requests over REST failed: {told}")


async def _restart_workers(stage: Stage) -> None:
    for worker in stage.workers.present:
        began = time.monotonic()
        status = await worker.restart()
        stage.must(status == 0, f"{worker.name} ended with {status}")
        await worker.ready()
        await stage.workers.even(within=PATIENCE)
        stage.injected("workers restarted")
        await stage.recovers("a worker restarted, shares even", began)


async def _restart_fronts(stage: Stage) -> None:
    for front in stage.front.fronts:
        status = await front.restart()
        stage.must(status == 0, f"{front.name} ended with {status}")
        await front.ready()
        await stage.pass_time(fast=1, usual=3, nightly=3)
        stage.injected("fronts restarted")
