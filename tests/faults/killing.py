"""Kills beside a load: of a worker that owns partitions, and of both servers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Literal

from tests.faults.stage import Stage
from tests.faults.tools.telling import until
from tests.faults.tools.workers import Worker

_OWNED_SECONDS: Final = 60.0


@dataclass
class Servers:
    """Whether one is away, and how often one was killed."""

    killed: int = 0
    away: bool = False


async def kill_an_owner(stage: Stage, servers: Servers) -> None:
    """Of those that own partitions one is killed; how long it takes is noted where no server was away meanwhile."""

    async def owned() -> bool:
        owners[:] = [worker for worker in stage.workers.running if (await worker.share()).owned]
        return bool(owners)

    owners: list[Worker] = []
    await until(owned, "a worker owns partitions", _OWNED_SECONDS)
    clean, number = not servers.away, servers.killed
    killed = time.monotonic()
    await stage.random.choice(owners).kill()
    stage.injected("workers killed at random moments")
    answered = await stage.answered("worker killed")
    if clean and number == servers.killed:
        stage.recovered("worker killed", answered - killed)


async def kill_server(stage: Stage, name: Literal["PostgreSQL", "RabbitMQ"], servers: Servers) -> None:
    """Killed, and noted how long it takes from when it is up."""
    tool = stage.database if name == "PostgreSQL" else stage.broker
    servers.killed, servers.away = servers.killed + 1, True
    await tool.kill()
    stage.injected(f"{name} killed")
    await tool.wait_up()
    await stage.recovers(f"{name} up again", time.monotonic())
    servers.away = False
