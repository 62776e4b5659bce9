"""S14, S15: RabbitMQ throws everybody out, stops, is killed, and comes back with a backlog."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from tests.faults.backlog import POLICY, queue_up
from tests.faults.scenario import scenario
from tests.faults.stage import Stage

_AT_ONCE: Final = 2_000


@scenario("S14", "all connections closed by the broker, again and again", recovers=10, fast=True)
async def everybody_out(stage: Stage) -> None:
    """A batch that is being committed when its connection dies goes on; its commands come again, and are replays."""
    workers = await stage.workers.start(2)
    async with stage.load():
        for _ in range(stage.size(fast=2, usual=12, nightly=60)):
            await stage.pass_time(fast=1.5, usual=5.0, nightly=5.0)
            stage.injected("connections closed", await stage.broker.close_all_connections())
            await stage.recovers("connections closed", time.monotonic())
    cancelled = [line for worker in workers for line in worker.lines() if "CancelledError" in str(line)]
    stage.must(not cancelled, f"something was cancelled: {cancelled[:1]}")
    stage.must(stage.workers.restarts == 0, "a worker died of a closed connection")


@scenario("S15", "RabbitMQ stopped, killed, and killed with a backlog in its queues", recovers=15)
async def broker_dies(stage: Stage) -> None:
    """What was confirmed is there afterwards; who publishes meanwhile is told at once."""
    workers = await stage.workers.start(2)
    await stage.start_front()
    async with stage.load():
        await _stop(stage)
        for _ in range(stage.size(fast=1, usual=3, nightly=10)):
            await stage.pass_time(fast=1.0, usual=5.0, nightly=10.0)
            await stage.broker.kill()
            stage.injected("RabbitMQ killed")
            await stage.broker.wait_up()
            await stage.recovers("RabbitMQ up again", time.monotonic())
    await _kill_with_backlog(stage)
    stage.must(all(worker.restarts == 0 for worker in workers), "a worker died of a lost broker")


async def _stop(stage: Stage) -> None:
    """The application is stopped inside its node for a while; worker and front say so."""
    await stage.broker.stop_app()
    stage.injected("RabbitMQ stopped")
    await asyncio.sleep(stage.size(fast=3.0, usual=30.0, nightly=30.0))
    for process in (*stage.workers.present, *stage.front.fronts):
        problems = str(await process.health())
        stage.must("rabbitmq" in problems.lower(), f"{process.name} does not name RabbitMQ: {problems}")
    await stage.broker.start_app()
    await stage.recovers("RabbitMQ started again", time.monotonic())


async def _kill_with_backlog(stage: Stage) -> None:
    """Commands wait while nobody works on them, the broker is killed, and all of them are worked off."""
    number = stage.size(fast=2_000, usual=50_000, nightly=200_000)
    waiting = await queue_up(stage, number, at_once=_AT_ONCE)
    await stage.broker.kill()
    stage.injected("RabbitMQ killed with a backlog")
    stage.figure("commands that waited in the killed broker", f"{waiting:,}")
    await stage.broker.wait_up()
    began = time.monotonic()
    await stage.workers.start(2)
    await stage.broker.remove_policy(POLICY)
    took = await stage.recovers("backlog worked off", began)
    stage.figure("backlog worked off, commands a second", f"{waiting / took:,.0f}")
