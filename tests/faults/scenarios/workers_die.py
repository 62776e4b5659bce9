"""S02: a worker dies between COMMIT and reply."""

from __future__ import annotations

import asyncio

from tests.faults.scenario import scenario
from tests.faults.stage import Stage


@scenario("S02", "a worker killed between COMMIT and reply", fast=True)
async def s02(stage: Stage) -> None:
    """Redelivered, the commands answer as replays."""
    (worker, _) = await stage.workers.start(2, crash="after_commit:20")
    async with stage.load():
        await asyncio.sleep(5)
    stage.injected("workers killed", worker.restarts)
    await stage.recovers("worker killed")
