"""S05: workers are killed at any moment, and their supervisor starts them again."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.workers import Worker

_PAUSE_SECONDS: Final = (2.0, 6.0)
_APART: Final = 3
"""Of so many kills the first comes when all is well, and the next one waits until all is well again."""


@scenario("S05", "a random worker killed (SIGKILL) every 2 to 6 s, and started again by its supervisor", recovers=10)
async def s05(stage: Stage) -> None:
    """Whatever a delivery had come to when its worker died, nothing sound is given up as dead for having come often."""
    seconds = stage.size(fast=8.0, usual=180.0, nightly=600.0)
    await stage.workers.start(2)
    async with stage.load() as load:
        await stage.workers.even()
        until, kills = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            if kills % _APART == 0:
                await _kill_apart(stage)
            else:
                await _kill(stage)
            kills += 1
            await asyncio.sleep(stage.random.uniform(*_PAUSE_SECONDS))
    stage.figure("workers started again", stage.workers.restarts)
    stage.refused_again(load)


async def _kill(stage: Stage) -> None:
    """Whoever has partitions; where nobody has any, one that just starts."""
    owners = await _owners(stage)
    if victims := owners or stage.workers.running:
        await stage.random.choice(victims).kill()
        stage.injected("workers killed that owned partitions" if owners else "workers killed while they started")


async def _kill_apart(stage: Stage) -> None:
    """A kill that no other one comes near to: so long it takes until each partition is served again."""
    await stage.workers.even()
    await stage.answered("before a kill")
    victim, killed = stage.random.choice(await _owners(stage)), time.monotonic()
    await victim.kill()
    stage.injected("workers killed that owned partitions")
    await stage.recovers("worker killed", killed)


async def _owners(stage: Stage) -> list[Worker]:
    running = stage.workers.running
    shares = await asyncio.gather(*(worker.share() for worker in running))
    return [worker for worker, share in zip(running, shares, strict=True) if share.owned]
