"""S08, S09: PostgreSQL ends the workers' sessions, also inside a COMMIT; and has no session for anybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from tests.faults.oracle.journal import Outcome, Told
from tests.faults.oracle.outcomes import attempts_by_key, codes
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.errors import ToolError
from tests.faults.tools.hoard import Hoard
from tests.faults.tools.obstacles import commits_hang
from tests.faults.tools.proxy import Proxy
from tests.faults.tools.telling import is_ready, until

_WORKERS: Final = "worker-%"
_FRONTS: Final = "mana-api%"
_HERTZ: Final = 5
_IN_COMMIT_SECONDS: Final = 20.0
_CUT_SECONDS: Final = 20.0
_COMMIT: Final = b"COMMIT\0"
_ANSWER_BYTES: Final = list(range(18))
"""The answer to a COMMIT is CommandComplete and ReadyForQuery, 12 and 6 bytes: it may end before any of them."""
_NOTHING: Final = Outcome(0, "unknown")
_NOTICED_SECONDS: Final = 20.0
_ANSWERED_SECONDS: Final = 5.0
"""More than the front takes for any answer: by then each request has one."""
_ALLOWED: Final = {"pending", "overloaded", "acknowledged", "insufficient_credits", "idempotency_conflict"}
"""What the front may say while there is no session to be had."""


@scenario("S08", "the workers' sessions ended five times a second, inside COMMIT, and at any byte of it", fast=True)
async def s08(stage: Stage) -> None:
    """A lost COMMIT is an unknown outcome: leases first, events from the mark, then the commands that come again."""
    async with Proxy.before(stage.workers.database_url) as proxy:
        await stage.workers.start(1)
        await stage.workers.start(1, database_url=proxy.url(stage.workers.database_url))
        await stage.workers.even()
        async with stage.load():
            await stage.pass_time(fast=0.5, usual=5, nightly=5)
            for _ in range(stage.size(fast=1, usual=4, nightly=20)):
                await _end_again_and_again(stage, stage.size(fast=1.5, usual=5.0, nightly=10.0))
            for _ in range(stage.size(fast=2, usual=10, nightly=50)):
                await _end_inside_commit(stage)
            await _lose_answers(stage, proxy, stage.size(fast=[0, 12], usual=_ANSWER_BYTES, nightly=_ANSWER_BYTES * 5))
            await _cut_anywhere(stage, proxy, stage.size(fast=1, usual=20, nightly=200))
            await stage.recovers("sessions ended", time.monotonic())
    late = committed_unanswered(await stage.told())
    stage.figure("commands whose COMMIT was done and its answer lost", late)
    stage.must(late, "no command was committed whose COMMIT had no answer: nothing was ended inside one")


def committed_unanswered(told: Told) -> int:
    """Keys that were sent once, and whose first success that was told, however late, was a replay: carried out, and
    nobody had said so."""
    return sum(
        1
        for (n, *more) in attempts_by_key(told).values()
        if not more and next(filter(_is_success, told.outcomes.get(n, ())), _NOTHING).replayed
    )


def _is_success(outcome: Outcome) -> bool:
    return outcome.cls == "acknowledged"


async def _end_again_and_again(stage: Stage, seconds: float) -> None:
    until_, ended, epochs = time.monotonic() + seconds, 0, await _epochs(stage)
    while time.monotonic() < until_:
        ended += await stage.database.end_backends(_WORKERS)
        await asyncio.sleep(1 / _HERTZ)
    stage.injected("sessions of workers ended, 5 times a second", ended)
    await stage.recovers("sessions ended", time.monotonic())
    await _raised(stage, epochs, "sessions were ended")


async def _end_inside_commit(stage: Stage) -> None:
    """A COMMIT that waits for a standby is durable here, and not answered; then its session is ended."""
    epochs = await _epochs(stage)
    async with commits_hang(stage.database):
        ended = 0
        async with asyncio.timeout(_IN_COMMIT_SECONDS):
            while not ended:
                await asyncio.sleep(0.02)
                ended = await stage.database.end_backends(_WORKERS, waiting_for="SyncRep", statement="COMMIT")
    stage.injected("sessions ended inside COMMIT", ended)
    await stage.recovers("ended inside COMMIT", time.monotonic())
    await _raised(stage, epochs, "a session was ended inside COMMIT")


async def _epochs(stage: Stage) -> int:
    """The sum over the partitions: it rises whenever one of them is taken."""
    ((epochs,),) = await stage.database.fetch("SELECT sum(epoch)::bigint FROM credits.partitions")
    return epochs


async def _raised(stage: Stage, before: int, what: str) -> None:
    """A lease is lost with its session: who goes on, and be it the same worker, goes on with another epoch."""
    stage.must(await _epochs(stage) > before, f"no partition was taken anew though {what}")


async def _lose_answers(stage: Stage, proxy: Proxy, sizes: Iterable[int]) -> None:
    """The line is cut after so many bytes of what the server answers to a COMMIT."""
    for size in sizes:
        cut = proxy.limit_behind(_COMMIT, size)
        await asyncio.wait_for(cut.wait(), _CUT_SECONDS)
        stage.injected("cuts inside the answer to a COMMIT")


async def _cut_anywhere(stage: Stage, proxy: Proxy, cuts: int) -> None:
    for _ in range(cuts):
        await stage.pass_time(fast=0.1, usual=0.5, nightly=0.5)
        cut = proxy.limit(stage.random.randrange(8_000), "down")
        await asyncio.wait_for(cut.wait(), _CUT_SECONDS)
        stage.injected("cuts anywhere else")


@scenario("S09", "PostgreSQL has no session for anybody", recovers=5)
async def s09(stage: Stage) -> None:
    """A worker goes on with the session that it has; who has none says so, and comes back alone."""
    await stage.workers.start(2)
    await stage.start_front()
    await stage.workers.even()
    async with stage.load() as load:
        await stage.pass_time(fast=1, usual=10, nightly=10)
        kept, since = await stage.database.sessions(_WORKERS), time.monotonic()
        async with stage.database.full() as hoard:
            stage.injected("sessions taken, all that there were", hoard.taken)
            await stage.pass_time(fast=2, usual=20, nightly=20)
            stage.must(await stage.database.sessions(_WORKERS) >= kept, "a worker lost the session that it had")
            stage.figure("99th percentile of answers meanwhile, s", load.percentile(0.99, since))
            await _front_without(stage, hoard)
            await _worker_without(stage, hoard)
        _, ready, even = await asyncio.gather(
            stage.recovers("sessions to be had again", time.monotonic()),
            stage.front.fronts[0].ready(),
            stage.workers.even(),
        )
        stage.figure("front ready again after, s", ready)
        stage.figure("shares even again after, s", even)
        await stage.pass_time(fast=1, usual=5, nightly=5)


async def _front_without(stage: Stage, hoard: Hoard) -> None:
    """The front loses what it had, too: it says 503, and never 500."""
    since = time.time()
    stage.injected("sessions of the front ended meanwhile", await _rob(stage, hoard, _FRONTS))
    (front,) = stage.front.fronts

    async def names_it() -> bool:
        return "postgresql" in str(await front.health()) and not await is_ready(front.url)

    await until(names_it, "the front names PostgreSQL", _NOTICED_SECONDS, front.log)
    await stage.pass_time(fast=2, usual=15, nightly=15)
    over = time.time()
    await asyncio.sleep(_ANSWERED_SECONDS)
    said = codes(await stage.told(), "rest", since, over)
    stage.figure("answers over REST meanwhile", ", ".join(f"{code} ({n})" for code, n in sorted(said.items())))
    stage.must(said["overloaded"], "no request met a front without sessions")
    wrong = said.keys() - _ALLOWED
    stage.must(not wrong, f"REST said {', '.join(wrong)}")


async def _worker_without(stage: Stage, hoard: Hoard) -> None:
    """One worker loses its session and gets no other: its partitions go to the one that still has one."""
    lucky, unlucky = stage.workers.all
    stage.injected("sessions of one worker ended meanwhile", await _rob(stage, hoard, f"{unlucky.name}%"))
    ended = time.monotonic()

    async def all_taken() -> bool:
        return (await lucky.share()).consuming == stage.workers.partitions

    await until(all_taken, f"{lucky.name} has taken everything over", _NOTICED_SECONDS, lucky.log)
    await stage.recovers("one worker without a session", ended)


async def _rob(stage: Stage, hoard: Hoard, name_like: str) -> int:
    """Ends these sessions, and takes each before they are made again; how many that took."""
    ended = 0
    async with asyncio.timeout(_NOTICED_SECONDS):
        while await stage.database.sessions(name_like):
            ended += await stage.database.end_backends(name_like)
            await hoard.fill()
    if not ended:
        raise ToolError(f"there was no session like {name_like}")
    return ended
