"""S00: everything that kills, at once, over a long load."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Final

from tests.faults.crash import WORKER_POINTS
from tests.faults.oracle.load import Load, Mix
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.telling import until

_USES_ONLY: Final = Mix(use=1.0, replay=0.0, conflict=0.0, insufficient=0.0, rest=0.0)
_RATE: Final = 800.0
_PAUSE: Final = 2.0
"""Seconds between two kills, about."""
_DEATH_SECONDS: Final = 30.0
_PASSES: Final = 20
"""A point is hit at a pass up to this one, by chance."""
_ONCE: Final = frozenset({"drain_start", "handback_before_close"})
"""Points that a worker passes only when it is told to end."""


@scenario(
    "S00",
    "a long run of uses; workers killed at random moments and at each crash point, both servers killed twice",
    recovers=10,
    partitions=32,
)
async def long_run(stage: Stage) -> None:
    """200,000 uses over 2,000 users, 100 kills of workers, two of each server."""
    uses = stage.size(fast=4_000, usual=200_000, nightly=1_000_000)
    kills = stage.size(fast=4, usual=100, nightly=500)
    await stage.workers.start(2)
    await stage.users(2_000)
    async with stage.load(_RATE, mix=_USES_ONLY) as load, asyncio.TaskGroup() as group:
        group.create_task(_until_sent(load, uses))
        group.create_task(_kill_workers(stage, kills))
        group.create_task(_kill_servers(stage, uses / _RATE))
    stage.figure("uses sent", load.sent)
    await stage.recovers("at the end")


async def _until_sent(load: Load, number: int) -> None:
    while load.sent < number:
        await asyncio.sleep(0.1)
    load.pause()


async def _kill_workers(stage: Stage, kills: int) -> None:
    """Every second kill is at a crash point, all of them in turn; the others come whenever it happens."""
    points = stage.random.sample(WORKER_POINTS, len(WORKER_POINTS))
    for number in range(kills):
        if number % 2:
            await _kill_at(stage, points[number // 2 % len(points)])
        else:
            await stage.random.choice(stage.workers.present).kill()
            stage.injected("workers killed at random moments")
        await asyncio.sleep(stage.random.uniform(0.5, 1.5) * _PAUSE)


async def _kill_at(stage: Stage, point: str) -> None:
    """One more worker joins, and dies at the point."""
    crash = f"{point}:{1 if point in _ONCE else stage.random.randint(1, _PASSES)}"
    (worker,) = await stage.workers.start(crash=crash, keep_alive=False, ready=False)
    if point in _ONCE:
        await stage.workers.even(within=60.0)
        worker.process.send(signal.SIGTERM)

    async def dead() -> bool:
        return worker.restarts > 0

    await until(dead, f"a worker dies at {crash}", _DEATH_SECONDS, worker.log)
    hit = any(line.get("event") == "crash point" and line["point"] == point for line in worker.lines())
    stage.must(hit, f"the worker ended otherwise than at {crash}")
    stage.injected("workers killed at a crash point", int(hit))
    await worker.remove()


async def _kill_servers(stage: Stage, seconds: float) -> None:
    """Four times, by turns, spread over the run."""
    for server in ("PostgreSQL", "RabbitMQ", "PostgreSQL", "RabbitMQ"):
        await asyncio.sleep(seconds / 5)
        tool = stage.database if server == "PostgreSQL" else stage.broker
        await tool.kill()
        stage.injected(f"{server} killed")
        await tool.wait_up()
        await stage.recovers(f"{server} up again", time.monotonic())
