"""S40, S41: more than can be worked off, waiting or arriving."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from tests.faults.backlog import COMMAND_QUEUES, POLICY, queue_up
from tests.faults.oracle.load import Load, Mix
from tests.faults.scenario import scenario
from tests.faults.stage import Stage

_AT_ONCE: Final = 4_000
_MIB: Final = 1024 * 1024
_MEMORY: Final = 150 * _MIB

_SLOW: Final = "before_commit:*:sleep:25"
_SLOW_BATCH: Final = 8
"""Commands in a batch of a worker that sleeps 25 ms over each: about 300 a second."""
_USES_ONLY: Final = Mix(use=1.0, replay=0.0, conflict=0.0, insufficient=0.0, rest=0.0, poor=0.0)


@scenario("S40", "a large backlog meets workers that have just started", recovers=30, partitions=32)
async def cold_start(stage: Stage) -> None:
    """It drains, in order and within the memory of a worker; new commands wait their turn behind it."""
    number = stage.size(fast=5_000, usual=200_000, nightly=1_000_000)
    await stage.workers.start(1)
    users = await stage.users()
    waiting = await queue_up(stage, number, at_once=_AT_ONCE)
    stage.injected("commands waiting", waiting)
    began = time.monotonic()
    workers = await stage.workers.start(2)
    fresh = await stage.client.send(
        "use", users[0], f"{stage.run}:fresh", amount=1, deadline=300.0, headers={"deadline": "2020-01-01T00:00:00Z"}
    )
    stage.must(fresh.code == "deadline_exceeded", f"a command that came too late was answered {fresh}")
    took = await stage.recovers("backlog worked off", began)
    stage.figure("commands a second", f"{waiting / took:,.0f}")
    memory = [worker.rss() // _MIB for worker in workers]
    stage.figure("memory of the workers, MiB", memory)
    stage.must(max(memory) * _MIB < _MEMORY, f"a worker holds {max(memory)} MiB")
    await stage.broker.remove_policy(POLICY)


@scenario("S41", "three times as many commands as can be worked off, for a minute", recovers=60)
async def overload(stage: Stage) -> None:
    """What is too much is refused at the door; afterwards answers soon come as before. Workers are slowed for it."""
    slow = {"MANA_BATCH_MAX": str(_SLOW_BATCH)}
    await stage.workers.start(2, crash=_SLOW, crash_each_life=True, environment=slow)
    await stage.users(500)
    async with stage.load(2_000.0, mix=_USES_ONLY, deadline=2.0) as measuring:
        await asyncio.sleep(stage.size(fast=3.0, usual=10.0, nightly=10.0))
    capacity = len(measuring.latencies) / stage.size(fast=3.0, usual=10.0, nightly=10.0)
    stage.figure("capacity, commands a second", f"{capacity:,.0f}")
    # As many as the default bound holds of the default rate: 20 s.
    room = int(20 * capacity / stage.scenario.partitions)
    await stage.broker.policy("faults-overload", COMMAND_QUEUES, {"max-length": room})
    async with stage.load(3 * capacity, mix=_USES_ONLY, deadline=30.0) as flood:
        await stage.pass_time(fast=5.0, usual=60.0, nightly=300.0)
        over = time.monotonic()
    refused = flood.sent - len(flood.latencies)
    stage.injected("commands sent at three times the capacity", flood.sent)
    stage.figure("refused or unanswered of them", f"{refused:,}")
    async with stage.load(capacity / 3, mix=_USES_ONLY) as ordinary:
        await _calm(ordinary, over, stage)
    await stage.broker.remove_policy("faults-overload")
    await stage.recovers("overload over", over)


async def _calm(load: Load, over: float, stage: Stage) -> None:
    """Waits for two seconds in which the 99th percentile is below a second; notes when that was."""
    until = time.monotonic() + 120.0
    while time.monotonic() < until:
        since = time.monotonic()
        await asyncio.sleep(2.0)
        if load.percentile(0.99, since) < 1.0 and any(scheduled >= since for scheduled, _ in load.latencies):
            stage.figure("99th percentile below 1 s again after, s", since - over)
            return
    stage.must(False, "answers were still late two minutes after the overload")
