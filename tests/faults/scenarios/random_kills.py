"""S05: workers are killed at any moment, and their supervisor starts them again."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.workers import Worker

_PAUSE_SECONDS: Final = (2.0, 6.0)


@scenario("S05", "a random worker killed (SIGKILL) every 2 to 6 s, and started again by its supervisor", recovers=10)
async def s05(stage: Stage) -> None:
    """Whatever a delivery had come to when its worker died, nothing sound is given up as dead for having come often."""
    seconds = stage.size(fast=8.0, usual=180.0, nightly=600.0)
    await stage.workers.start(2)
    async with stage.load() as load, asyncio.TaskGroup() as probing:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if running := stage.workers.running:
                await _kill(stage, stage.random.choice(running), probing)
            await asyncio.sleep(stage.random.uniform(*_PAUSE_SECONDS))
    stage.figure("workers started again", stage.workers.restarts)
    stage.refused_again(load)


async def _kill(stage: Stage, worker: Worker, probing: asyncio.TaskGroup) -> None:
    """Only where partitions were without an owner for a moment there is something to recover."""
    owned = (await worker.share()).owned
    await worker.kill()
    if not owned:
        stage.injected("workers killed while they started")
        return
    stage.injected("workers killed that owned partitions")
    probing.create_task(stage.recovers("worker killed", time.monotonic()))
