"""S25: everything of ours is restarted, one after another, and nobody outside should see it."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

from tests.faults.scenario import scenario
from tests.faults.stage import PATIENCE, Stage
from tests.faults.tools.balancer import Answer
from tests.faults.tools.workers import EVEN_SECONDS

_BUSY: Final = 0.001
"""The part of all requests over REST that may be told to come again."""


@scenario("S25", "4 workers and 2 fronts restarted one after another, again and again", recovers=30)
async def s25(stage: Stage) -> None:
    """Each worker is a new one afterwards; a balancer passes a front by that takes no connection."""
    await stage.workers.start(4)
    await stage.start_front(2)
    async with stage.load():
        for _ in range(stage.size(fast=1, usual=10, nightly=10)):
            await _restart_workers(stage)
            await _restart_fronts(stage)
        await stage.pass_time(fast=1, usual=5, nightly=5)
    _nobody_was_let_down(stage, stage.front.answers)


def _nobody_was_let_down(stage: Stage, answers: Counter[Answer]) -> None:
    """No connection is lost, and nothing from 500 on is said but a 503 with the time to come again, and that rarely."""
    told = ", ".join(f"{times} {answer.status or 'lost'}" for answer, times in sorted(answers.items(), key=str))
    stage.figure("answers over REST", told)
    failed = sum(times for answer, times in answers.items() if answer.failed)
    busy = sum(times for answer, times in answers.items() if answer.busy)
    stage.must(not failed, f"{failed} of {answers.total()} requests over REST failed: {told}")
    stage.must(busy < _BUSY * answers.total(), f"{busy} of {answers.total()} were told to come again: {told}")


async def _restart_workers(stage: Stage) -> None:
    for worker in stage.workers.present:
        began = time.monotonic()
        status = await worker.restart()
        stage.must(status == 0, f"{worker.name} ended with {status}")
        await worker.ready()
        await stage.workers.even(within=PATIENCE)
        took = time.monotonic() - began
        stage.must(took < EVEN_SECONDS, f"shares were even {took:.0f} s after {worker.name} was told to restart")
        stage.injected("workers restarted")
        await stage.recovers("a worker restarted, shares even", began)


async def _restart_fronts(stage: Stage) -> None:
    for front in stage.front.fronts:
        status = await front.restart()
        stage.must(status == 0, f"{front.name} ended with {status}")
        await front.ready()
        await stage.pass_time(fast=1, usual=3, nightly=3)
        stage.injected("fronts restarted")
