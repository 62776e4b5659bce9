"""S35: replies that come when nobody waits for them any more."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import count
from typing import Any, Final

from tests.faults.doomed import hits
from tests.faults.oracle.journal import Outcome, Told
from tests.faults.oracle.outcomes import class_of
from tests.faults.oracle.rest import Rest
from tests.faults.scenario import scenario
from tests.faults.stage import RATE, Stage

_SLOW: Final = "before_commit"
_ASKING: Final = 8
"""Clients of each kind, which ask one thing after another."""
_PATIENCE: Final = 60.0
_WAYS: Final[dict[str, dict[str, Any]]] = {
    "requests that were to wait for 0 s": {"wait": 0, "look_for": _PATIENCE},
    "clients that hung up after 50 ms": {"hang_up": 0.05},
    "requests that were to wait for 5 s": {"wait": 5, "look_for": _PATIENCE},
}
"""Who is told where to look looks for long; who hung up may have sent nothing that could be found."""
_AMOUNTS: Final = 997
"""So many different ones follow each other: an answer that went to another request shows."""


@scenario("S35", "a worker that takes 200 ms for each batch, and clients that do not wait so long", fast=True)
async def late_replies(stage: Stage) -> None:
    """What is not answered in time is a 202, and can be looked up; a late reply goes to nobody."""
    workers = await stage.workers.start(2, crash=f"{_SLOW}:*:sleep:200", crash_each_life=True)
    await stage.start_front()
    async with stage.rest() as rest, stage.load(stage.size(fast=60.0, usual=RATE, nightly=RATE)):
        await _ask(stage, rest, stage.size(fast=4.0, usual=60.0, nightly=600.0))
    await stage.recovers("the end of the load", time.monotonic())
    stage.injected("batches that took 200 ms longer", sum(hits(worker, _SLOW) for worker in workers))
    late = int(await stage.front.fronts[0].meter("mana_late_replies_total"))
    stage.injected("replies that nobody waited for", late)
    stage.must(late, "no reply came too late")
    stage.figure("operations that were 404 first and 200 then", rest.found_later)
    stage.must(rest.found_later, "no operation was looked up before it was decided")
    _all_found(stage, await stage.told())


async def _ask(stage: Stage, rest: Rest, seconds: float) -> None:
    """All kinds at once, for the same few users; longer, if nobody was early enough to find nothing yet."""
    numbers, asked, began = count(), Counter[str](), time.monotonic()

    def goes_on() -> bool:
        took = time.monotonic() - began
        return took < seconds or (not rest.found_later and took < _PATIENCE)

    async def client(way: str) -> None:
        while goes_on():
            number = next(numbers)
            user = stage.random.choice(rest.users)
            await rest.use(user, f"{stage.run}:late:{number}", 1 + number % _AMOUNTS, **_WAYS[way])
            asked[way] += 1

    async with asyncio.TaskGroup() as group:
        for way in _WAYS:
            for _ in range(_ASKING):
                group.create_task(client(way))
    for way, times in asked.items():
        stage.injected(way, times)


def _all_found(stage: Stage, told: Told) -> None:
    """Who was told where to look has found the outcome there."""
    pending = [outcomes for outcomes in told.outcomes.values() if _is_pending(outcomes)]
    stage.figure("answers 202", len(pending))
    lost = sum(class_of(outcomes) == "unknown" for outcomes in pending)
    stage.must(not lost, f"{lost} of {len(pending)} operations that were answered 202 were never found")


def _is_pending(outcomes: list[Outcome]) -> bool:
    return any(outcome.code == "pending" for outcome in outcomes)
