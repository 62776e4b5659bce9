"""S01: a worker is killed at each point of a command's way, with nobody beside it, and while others work on.

So are front and relay at each point of a sign-up's way.
"""

from __future__ import annotations

import asyncio
from typing import Final

from tests.faults.crash import FRONT_POINTS, RELAY_POINTS, WORKER_POINTS
from tests.faults.doomed import ENDING, die_at
from tests.faults.lonely import die_alone
from tests.faults.scenario import scenario
from tests.faults.signing_up import through_front_s_death, through_relay_s_death
from tests.faults.stage import Stage

_COMMIT: Final = WORKER_POINTS.index("after_commit")
_BEFORE_COMMIT: Final = frozenset(WORKER_POINTS[:_COMMIT])
_AFTER_COMMIT: Final = frozenset(WORKER_POINTS[_COMMIT:]) - ENDING
_FAST: Final = ("before_commit", "mid_replies", "mid_ack", "after_event")
_BURST: Final = 48
_DOOMED_AT_ONCE: Final = 2


@scenario("S01", "a worker killed at each crash point, by one: alone, and beside others under load", fast=True)
async def s01(stage: Stage) -> None:
    """Before COMMIT nothing of a command is there until it is delivered again, behind it all of it is."""
    if stage.scale != "fast":
        await _alone(stage)
    await _beside_another(stage, stage.size(fast=_FAST, usual=WORKER_POINTS, nightly=WORKER_POINTS))
    for _ in range(stage.size(fast=0, usual=20, nightly=20)):
        for point in FRONT_POINTS:
            await through_front_s_death(stage, point)
        for point in RELAY_POINTS:
            await through_relay_s_death(stage, point)


async def _alone(stage: Stage) -> None:
    (first,) = await stage.workers.start()
    await stage.users()
    await first.drain()
    for point in WORKER_POINTS:
        burst = await die_alone(stage, point, _BURST)
        stage.must(point not in _BEFORE_COMMIT or not burst.left, f"{point}: rows of what was not committed")
        stage.must(point not in _AFTER_COMMIT or burst.left, f"{point}: no row of what was committed")


async def _beside_another(stage: Stage, points: tuple[str, ...]) -> None:
    (worker,) = await stage.workers.start()
    async with stage.load() as load:
        for point in points:
            await _hit(stage, point, stage.size(fast=1, usual=20, nightly=20))
    stage.refused_again(load)
    redelivered = await worker.meter("mana_deliveries_redelivered_total")
    stage.figure("deliveries that came to the worker beside again", int(redelivered))
    stage.must(redelivered > 0, "nothing was delivered again")


async def _hit(stage: Stage, point: str, times: int) -> None:
    """So often, by workers that come one after another in a few lines."""
    lines = min(times, _DOOMED_AT_ONCE)

    async def line(number: int) -> None:
        for _ in range(number, times, lines):
            await stage.recovers("worker killed", await die_at(stage, point))

    async with asyncio.TaskGroup() as group:
        for number in range(lines):
            group.create_task(line(number))
