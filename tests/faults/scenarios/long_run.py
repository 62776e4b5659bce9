"""S00: everything that kills, at once, over a long load."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from tests.faults.crash import WORKER_POINTS
from tests.faults.doomed import die_at
from tests.faults.oracle.load import Load, Mix
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.telling import until
from tests.faults.tools.workers import Worker

_USES_ONLY: Final = Mix(use=0.98, replay=0.0, conflict=0.0, insufficient=0.0, rest=0.0, poor=0.02)
_RATE: Final = 800.0
_OWNED_SECONDS: Final = 60.0
_PAUSE: Final = 2.0
"""Seconds between two kills, about."""


@scenario(
    "S00",
    "a long run of uses; workers killed at random moments and at each crash point, both servers killed twice",
    recovers=10,
    partitions=32,
    repeated=1.0,
)
async def long_run(stage: Stage) -> None:
    """200,000 uses over 2,000 users, 100 kills of workers, two of each server.

    One use in fifty is refused, and its credits come behind it. At the end every key is asked again.
    """
    uses = stage.size(fast=4_000, usual=200_000, nightly=1_000_000)
    kills = stage.size(fast=4, usual=100, nightly=500)
    await stage.workers.start(2)
    await stage.users(2_000)
    async with stage.load(_RATE, mix=_USES_ONLY) as load, asyncio.TaskGroup() as group:
        group.create_task(_until_sent(load, uses))
        servers = _Servers()
        group.create_task(_kill_workers(stage, kills, servers))
        group.create_task(_kill_servers(stage, uses / _RATE, servers))
    stage.figure("uses sent", load.sent)
    stage.refused_again(load)
    await stage.recovers("at the end")


async def _until_sent(load: Load, number: int) -> None:
    while load.sent < number:
        await asyncio.sleep(0.1)


@dataclass
class _Servers:
    """Whether one is away, and how often one was killed."""

    killed: int = 0
    away: bool = False


async def _kill_workers(stage: Stage, kills: int, servers: _Servers) -> None:
    """Every second kill is at a crash point, all of them in turn; the others come whenever it happens."""
    points = stage.random.sample(WORKER_POINTS, len(WORKER_POINTS))
    for number in range(kills):
        if number % 2:
            await die_at(stage, points[number // 2 % len(points)])
        else:
            await _kill_an_owner(stage, servers)
            stage.injected("workers killed at random moments")
        await asyncio.sleep(stage.random.uniform(0.5, 1.5) * _PAUSE)


async def _kill_an_owner(stage: Stage, servers: _Servers) -> None:
    """Of those that own partitions one is killed; how long it takes is noted where no server was away meanwhile."""

    async def owned() -> bool:
        owners[:] = [worker for worker in stage.workers.running if (await worker.share()).owned]
        return bool(owners)

    owners: list[Worker] = []
    await until(owned, "a worker owns partitions", _OWNED_SECONDS)
    clean, number = not servers.away, servers.killed
    killed = time.monotonic()
    await stage.random.choice(owners).kill()
    answered = await stage.answered("worker killed")
    if clean and number == servers.killed:
        stage.recovered("worker killed", answered - killed)


async def _kill_servers(stage: Stage, seconds: float, servers: _Servers) -> None:
    """Four times, by turns, spread over the run."""
    for server in ("PostgreSQL", "RabbitMQ", "PostgreSQL", "RabbitMQ"):
        await asyncio.sleep(seconds / 5)
        tool = stage.database if server == "PostgreSQL" else stage.broker
        servers.killed, servers.away = servers.killed + 1, True
        await tool.kill()
        stage.injected(f"{server} killed")
        await tool.wait_up()
        await stage.recovers(f"{server} up again", time.monotonic())
        servers.away = False
