"""Processes that die at a crash point, and workers that do so while others work on."""

from __future__ import annotations

import signal
import time
from typing import Final

from tests.faults.stage import Stage
from tests.faults.tools.kept import Kept
from tests.faults.tools.telling import until
from tests.faults.tools.workers import Worker

ENDING: Final = frozenset({"drain_start", "handback_before_close"})
"""Points that a worker passes when it is told to end."""
_PASSES: Final = 20
_DEATH_SECONDS: Final = 60.0
_JOINED_SECONDS: Final = 60.0


async def die_at(stage: Stage, point: str) -> float:
    """One more worker joins, and is killed at one of its first passes of the point; when that was found (monotonic).

    Raises ``AssertionError`` where it does not die.
    """
    at = 1 if point in ENDING else stage.random.randint(1, _PASSES)
    (worker,) = await stage.workers.start(crash=f"{point}:{at}", keep_alive=False, ready=False)
    if point in ENDING and await _joined(worker):
        worker.process.send(signal.SIGTERM)
    died = await dead(worker)
    hit = hits(worker, point) == 1
    stage.must(hit, f"the worker ended otherwise than at {point}:{at}")
    stage.injected("workers killed at a crash point", int(hit))
    await worker.remove()
    return died


async def _joined(worker: Worker) -> bool:
    """Waits until it has a share; false where it has met its point already, giving back to somebody who came."""

    async def look() -> bool:
        return worker.restarts > 0 or (await worker.share()).consuming > 0

    await until(look, f"{worker.name} has a share", _JOINED_SECONDS, worker.log)
    return worker.restarts == 0


async def dead(process: Kept) -> float:
    """Waits until the first life of a process is over; when that was found (monotonic)."""

    async def over() -> bool:
        return process.restarts > 0

    await until(over, f"{process.name} dies", _DEATH_SECONDS, process.log)
    return time.monotonic()


def hits(process: Kept, point: str) -> int:
    """How often something happened to the process at the point."""
    return sum(line.get("event") == "crash point" and line["point"] == point for line in process.lines())
