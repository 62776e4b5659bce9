"""S26: partitions are handed over, from worker to worker, while one of them gets everything."""

from __future__ import annotations

from typing import Any, Final

from tests.faults.oracle.mix import NOT_OVER_REST
from tests.faults.scenario import scenario
from tests.faults.stage import Stage

_EPOCH: Final = """
SELECT epoch FROM credits.partitions WHERE partition = (
    SELECT partition FROM credits.transactions WHERE account_id::text = $1 LIMIT 1
)
"""


@scenario("S26", "workers join and leave, one user getting all of the load", recovers=30, fast=True)
async def s26(stage: Stage) -> None:
    """The next owner begins where the last one ended: what was given out and not acknowledged comes first."""
    (old,) = await stage.workers.start()
    user, *_ = await stage.users()
    took: list[float] = []
    epoch = await _epoch(stage, user)
    # Users of a front would be others, and the partition is to have nothing but this one's commands.
    async with stage.load(users=[user], mix=NOT_OVER_REST) as load:
        for _ in range(stage.size(fast=2, usual=8, nightly=60)):
            (new,) = await stage.workers.start()
            took.append(await stage.workers.even())
            status = await old.drain()
            stage.must(status == 0, f"{old.name} ended with {status}")
            took.append(await stage.workers.even())
            stage.injected("workers that joined, and took another's place")
            old = new
        await stage.recovers("the last hand-over")
    moved = await _epoch(stage, user) - epoch
    stage.injected("hand-overs of the partition with the load", moved)
    stage.must(moved >= stage.size(fast=2, usual=8, nightly=60), "the partition with the load was not always moved")
    stage.figure("shares were even after at most, s", max(took))
    stage.figure("longest time to an answer, s", load.percentile(1.0))


async def _epoch(stage: Stage, user: str) -> int:
    """How often the user's partition has been taken, ever."""
    rows: list[Any] = await stage.database.fetch(_EPOCH, user)
    return rows[0]["epoch"]
