"""S46: a nemesis picks from all that can be done to us, again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from tests.faults.scenario import scenario
from tests.faults.stage import Stage

_MOST: Final = 4
"""Workers at most."""


@scenario("S46", "a nemesis: everything above, by chance, every 5 to 20 seconds", recovers=30)
async def nemesis(stage: Stage) -> None:
    """Whatever comes together, nothing is lost, and all is well when it ends."""
    await stage.workers.start(3)
    await stage.start_front()
    async with stage.load():
        until = time.monotonic() + stage.size(fast=20.0, usual=900.0, nightly=3_600.0)
        while time.monotonic() < until:
            name, act = stage.random.choice(_ACTS)
            await act(stage)
            stage.injected(name)
            await asyncio.sleep(stage.size(fast=1.0, usual=stage.random.uniform(5.0, 20.0), nightly=20.0))
        for worker in stage.workers.all:
            if worker.paused:
                await worker.wake()
        await stage.recovers("all faults over", time.monotonic())
    await stage.workers.even(within=60.0)


async def _kill_worker(stage: Stage) -> None:
    await stage.random.choice(stage.workers.present).kill()


async def _restart_worker(stage: Stage) -> None:
    await stage.random.choice(stage.workers.present).restart()


async def _pause_worker(stage: Stage) -> None:
    """For up to twice as long as PostgreSQL waits for it."""
    worker = stage.random.choice(stage.workers.present)
    await worker.pause()
    await asyncio.sleep(stage.random.uniform(1.0, 20.0))
    await worker.wake()


async def _join_or_leave(stage: Stage) -> None:
    if len(stage.workers.present) < _MOST:
        await stage.workers.start(ready=False)
    else:
        await stage.random.choice(stage.workers.present).drain()


async def _kill_front(stage: Stage) -> None:
    await stage.front.fronts[0].kill()


async def _kill_broker(stage: Stage) -> None:
    await stage.broker.kill()
    await stage.broker.wait_up()


async def _stop_broker(stage: Stage) -> None:
    async with stage.broker.stopped():
        await asyncio.sleep(stage.random.uniform(1.0, 10.0))


async def _throw_everybody_out(stage: Stage) -> None:
    await stage.broker.close_all_connections()


async def _fill_disk(stage: Stage) -> None:
    async with stage.broker.disk_alarm():
        await asyncio.sleep(stage.random.uniform(1.0, 10.0))


async def _kill_database(stage: Stage) -> None:
    await stage.database.kill()
    await stage.database.wait_up()


async def _restart_database(stage: Stage) -> None:
    await stage.database.restart_immediate()
    await stage.database.wait_up()


async def _end_sessions(stage: Stage) -> None:
    await stage.database.terminate_backends(role="mana_worker")


async def _lock_table(stage: Stage) -> None:
    async with stage.database.locked("credits.balances"):
        await asyncio.sleep(stage.random.uniform(1.0, 8.0))


_ACTS: Final[tuple[tuple[str, Callable[[Stage], Awaitable[None]]], ...]] = (
    ("workers killed", _kill_worker),
    ("workers restarted", _restart_worker),
    ("workers paused", _pause_worker),
    ("workers joined or left", _join_or_leave),
    ("fronts killed", _kill_front),
    ("RabbitMQ killed", _kill_broker),
    ("RabbitMQ stopped for a while", _stop_broker),
    ("all connections closed", _throw_everybody_out),
    ("disk alarms", _fill_disk),
    ("PostgreSQL killed", _kill_database),
    ("PostgreSQL restarted at once", _restart_database),
    ("workers' sessions ended", _end_sessions),
    ("balances locked for a while", _lock_table),
)
