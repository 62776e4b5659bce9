"""S07: PostgreSQL is not there, for long."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Final

from tests.faults.oracle.commands import EXCHANGE
from tests.faults.oracle.outcomes import codes
from tests.faults.oracle.rest import Rest
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools import telling
from tests.faults.tools.broker import Depth
from tests.faults.tools.kept import Kept
from tests.faults.tools.outages import away, silent

_NOTICED_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 5.0
_DEADLINE_SECONDS: Final = 2
_MARGIN_SECONDS: Final = 1.0
_ASK_SECONDS: Final = 0.2
_MIB: Final = 1024 * 1024
_GROWTH_MAX: Final = 32 * _MIB
"""Bytes by which a process without its database may grow, however much waits in the broker."""
_ALLOWED: Final = {"pending", "overloaded", "acknowledged"}
"""What the front may say meanwhile: 202, or 503; 200 to who came at the first or the last moment."""


@scenario("S07", "PostgreSQL away for two minutes, then there and silent", recovers=10)
async def s07(stage: Stage) -> None:
    """Nobody takes what cannot be carried out, everybody says why, and memory stays where it is."""
    await stage.workers.start(2)
    await stage.start_front()
    async with stage.load(), stage.rest(1) as lone:
        await stage.pass_time(fast=2, usual=10, nightly=10)
        gone = away(stage.instance, stage.database)
        when_away = await _outage(stage, lone, "away", gone, stage.size(fast=8.0, usual=120.0, nightly=120.0))
        await stage.pass_time(fast=1, usual=10, nightly=10)
        still = silent(stage.database)
        when_silent = await _outage(stage, lone, "silent", still, stage.size(fast=8.0, usual=30.0, nightly=120.0))
        await stage.pass_time(fast=1, usual=5, nightly=5)
    await _rest(stage, "away", *when_away)
    await _rest(stage, "silent", *when_silent)


async def _outage(
    stage: Stage, lone: Rest, how: str, outage: AbstractAsyncContextManager[None], seconds: float
) -> tuple[float, float]:
    """From when until when it was, by the clock."""
    since = time.time()
    async with outage:
        asking = asyncio.create_task(_ask(stage, lone, how, seconds))
        try:
            await _without(stage, how, seconds)
            until = time.time()
            await asking
        finally:
            asking.cancel()
    await stage.recovers(f"PostgreSQL was {how}", time.monotonic())
    return since, until


async def _ask(stage: Stage, lone: Rest, how: str, seconds: float) -> None:
    """Uses of a client of its own, one after the other: each is on the wire at once, and answered by its deadline."""
    (user,) = lone.users
    took: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.time()
        answer = await lone.use(user, f"{stage.run}:{how}:{len(took)}", 1, wait=_DEADLINE_SECONDS, look_for=0)
        took.append(answer.at - began)
        await asyncio.sleep(_ASK_SECONDS)
    stage.figure(f"{how}: slowest answer over REST, s", max(took))
    late = [each for each in took if each > _DEADLINE_SECONDS + _MARGIN_SECONDS]
    stage.must(not late, f"{how}: {len(late)} of {len(took)} answers over REST came behind their deadline")


async def _without(stage: Stage, how: str, seconds: float) -> None:
    """Looks on until the time is over, from the moment on when everybody has noticed."""
    ends = time.monotonic() + seconds
    processes = [*stage.workers.all, *stage.front.fronts]
    noticed = await asyncio.gather(*(_names_the_database(process) for process in processes))
    stage.injected(f"time without PostgreSQL: {how} for {seconds:.0f} s")
    stage.figure(f"{how}: not ready, naming PostgreSQL, after at most, s", max(noticed))
    before, began = await _redelivered(stage), time.monotonic()
    memory = {process.name: process.rss() for process in processes}
    while time.monotonic() < ends:
        await asyncio.sleep(min(_LOOK_SECONDS, max(ends - time.monotonic(), 0)))
        ready = [process.name for process in processes if await telling.is_ready(process.url)]
        stage.must(not ready, f"{how}: {', '.join(ready)} said ready without a database")
        taken = sum(depth.unacked for depth in await _queues(stage))
        stage.must(not taken, f"{how}: {taken} commands were taken from the queues without a database")
    minutes = (time.monotonic() - began) / 60
    waiting = sum(depth.ready for depth in await _queues(stage))
    again = await _redelivered(stage) - before
    stage.figure(f"{how}: commands waiting at the end, and redeliveries", f"{waiting}, {again:.0f}")
    stage.must(again < 2 * max(waiting, 1) * minutes, f"{how}: {again:.0f} redeliveries of {waiting} commands")
    _compare_memory(stage, how, memory, processes)


async def _names_the_database(process: Kept) -> float:
    async def look() -> bool:
        told = await process.health()
        named = "postgresql" in str(told.get("problems", told.get("details", "")))
        return named and not await telling.is_ready(process.url)

    return await telling.until(look, f"{process.name} is not ready and names PostgreSQL", _NOTICED_SECONDS, process.log)


async def _redelivered(stage: Stage) -> float:
    told = [await worker.meter("mana_deliveries_redelivered_total") for worker in stage.workers.all]
    return sum(told)


def _compare_memory(stage: Stage, how: str, before: dict[str, int], processes: list[Kept]) -> None:
    grown = {process.name: process.rss() - before[process.name] for process in processes}
    name = max(grown, key=lambda each: grown[each])
    stage.figure(f"{how}: memory grew by at most, MiB", grown[name] / _MIB)
    stage.must(grown[name] < _GROWTH_MAX, f"{how}: {name} grew by {grown[name] / _MIB:.0f} MiB")


async def _rest(stage: Stage, how: str, since: float, until: float) -> None:
    """To be asked when all answers have come: what the front said to whom it could not serve."""
    said = codes(await stage.told(), "rest", since, until)
    stage.figure(f"{how}: answers over REST", ", ".join(f"{code} ({n})" for code, n in sorted(said.items())))
    wrong = said.keys() - _ALLOWED
    stage.must(not wrong, f"{how}: REST said {', '.join(wrong)}")
    stage.must(said["pending"] + said["overloaded"], f"{how}: nobody was told over REST that it cannot be done now")


async def _queues(stage: Stage) -> list[Depth]:
    """The queues of commands."""
    return [depth for name, depth in (await stage.broker.depths()).items() if name.startswith(f"{EXCHANGE}.")]
