"""S00: everything that kills, at once, over a long load."""

from __future__ import annotations

import asyncio
from typing import Final

from tests.faults.crash import WORKER_POINTS
from tests.faults.doomed import die_at
from tests.faults.killing import Servers, kill_an_owner, kill_server
from tests.faults.oracle.load import Load
from tests.faults.oracle.mix import Mix
from tests.faults.scenario import scenario
from tests.faults.stage import Stage

_USES_ONLY: Final = Mix(use=0.98, replay=0.0, conflict=0.0, insufficient=0.0, rest=0.0, poor=0.02)
_RATE: Final = 800.0
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
        servers = Servers()
        group.create_task(_kill_workers(stage, kills, servers))
        group.create_task(_kill_servers(stage, uses / _RATE, servers))
    stage.figure("uses sent", load.sent)
    stage.refused_again(load)
    await stage.recovers("at the end")


async def _until_sent(load: Load, number: int) -> None:
    while load.sent < number:
        await asyncio.sleep(0.1)


async def _kill_workers(stage: Stage, kills: int, servers: Servers) -> None:
    """Every second kill is at a crash point, all of them in turn; the others come whenever it happens."""
    points = stage.random.sample(WORKER_POINTS, len(WORKER_POINTS))
    for number in range(kills):
        if number % 2:
            await die_at(stage, points[number // 2 % len(points)])
        else:
            await kill_an_owner(stage, servers)
        await asyncio.sleep(stage.random.uniform(0.5, 1.5) * _PAUSE)


async def _kill_servers(stage: Stage, seconds: float, servers: Servers) -> None:
    """Four times, by turns, spread over the run."""
    for _ in range(2):
        await asyncio.sleep(seconds / 5)
        await kill_server(stage, "PostgreSQL", servers)
        await asyncio.sleep(seconds / 5)
        await kill_server(stage, "RabbitMQ", servers)
