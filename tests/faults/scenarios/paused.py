"""S22, S23: an owner that is paused, or believes what is not so, meets partitions that are somebody else's by now."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from tests.faults.oracle.client import Client
from tests.faults.oracle.load import Load
from tests.faults.oracle.population import fresh_users
from tests.faults.scenario import scenario
from tests.faults.scenarios.duplicates import Threefold
from tests.faults.stage import RATE, Stage
from tests.faults.tools.obstacles import rule
from tests.faults.tools.telling import until
from tests.faults.tools.workers import Worker
from tests.faults.twins import ASTRAY, BOTH, twins

_STOPS_SECONDS: Final = 60.0
_TAKEN_SECONDS: Final = 60.0
_AWAKE_SECONDS: Final = 30.0
_PASSES: Final = (20, 60)
_ANEW: Final = "all leases are gone: once more from the beginning"
_REFUSALS: Final = "mana_fence_refusals_total"
_CONNECTIONS: Final = 3
_MEET_SECONDS: Final = 20.0
_ASTRAY: Final = """
SELECT account_id FROM credits.transactions GROUP BY account_id HAVING count(DISTINCT partition) > 1
"""
_WRITES_LATE: Final = "pg_sleep(1) IS NULL"
"""A condition that is false, a second later: whoever writes has looked long before."""
_SERIALISATION: Final = "40001"
_HELD: Final = """
SELECT partition.partition, partition.epoch FROM credits.partitions AS partition
JOIN pg_locks AS held ON held.locktype = 'advisory' AND held.objsubid = 2 AND held.objid::bigint = partition.partition
JOIN pg_stat_activity AS session USING (pid)
WHERE session.application_name = $1
"""


@dataclass(frozen=True)
class _Pause:
    """How an owner's pause went: seconds from its beginning, and why the woken one began anew."""

    taken: float
    answered: float
    found: str


@scenario("S22", "an owner paused (SIGSTOP) until others have its partitions, then woken (SIGCONT)", recovers=10)
async def s22(stage: Stage) -> None:
    """PostgreSQL ends its session for silence, and its locks with it: what it had in its hands is nobody's any more."""
    owner, _ = await stage.workers.start(2)
    pauses: list[_Pause] = []
    async with stage.load() as load:
        for seconds in stage.size(fast=(12.0,), usual=(60.0, 15.0), nightly=(60.0,) * 5):
            since = time.monotonic()
            await owner.pause()
            stage.injected("owners paused at a random moment")
            pauses.append(await _followed_and_woken(stage, owner, since, seconds))
        for point in stage.size(fast=(), usual=("before_commit", "after_commit"), nightly=("before_commit",) * 5):
            stopped = await _stopped_at(stage, point)
            stage.injected(f"owners paused at {point}")
            pauses.append(await _followed_and_woken(stage, stopped, time.monotonic(), 15.0))
            await stopped.drain()
    stage.refused_again(load)
    stage.figure("others had its partitions after at most, s", max(pause.taken for pause in pauses))
    stage.figure("and answered for them after at most, s", max(pause.answered for pause in pauses))
    found = {reason for pause in pauses for reason in pause.found.split("; ")}
    stage.figure("what the woken ones found", "; ".join(sorted(found)))


@scenario("S23", "two owners of the same partitions: by force, and one asleep with its session and locks alive")
async def s23(stage: Stage) -> None:
    """Nothing but the epoch keeps them apart: no lock, no time-out of a session."""
    both = await stage.workers.start(2, mutant="every_partition,patient_sessions")
    async with stage.load() as load:
        await stage.pass_time(fast=4, usual=45, nightly=300)

        async def refused() -> bool:
            return min([await _refusals(worker) for worker in both]) > 0

        await until(refused, "each of two owners is refused by the epoch", _AWAKE_SECONDS)
        for worker in both:
            stage.injected("times that a partition was refused to one of two owners", await _refusals(worker))
        await asyncio.gather(*(worker.drain() for worker in both))
        for _ in range(stage.size(fast=1, usual=2, nightly=5)):
            await _overslept(stage, load)
    await _unfenced(stage)


async def _unfenced(stage: Stage) -> None:
    """Not even the epoch keeps the two apart, and everything comes three times, to either of them.

    What is left are the rows' locks, for which one waits while the other commits, and the keys: order may break.
    """
    stage.ordered = False
    async with twins(stage.amqp_url, stage.workers.partitions), AsyncExitStack() as stack:
        (one,) = await stage.workers.start(mutant="every_partition,no_epoch_check")
        (other,) = await stage.workers.start(mutant="every_partition,no_epoch_check,twin_queues")
        users = await stage.users()
        threefold = Threefold(
            [
                await stack.enter_async_context(Client(stage.amqp_url, stage.journal, exchange=BOTH))
                for _ in range(_CONNECTIONS)
            ]
        )
        async with stage.load(RATE / _CONNECTIONS, users=users, client=threefold):
            await stage.pass_time(fast=4, usual=30, nightly=200)
            await stage.recovers("two owners without a fence", time.monotonic())
        stage.injected("commands sent three times to each of two owners", threefold.sent)
        for worker in (one, other):
            stage.must(await worker.meter("mana_events_confirmed_total"), f"{worker.name} had nothing to commit")
        stage.must(not await stage.database.fetch(_ASTRAY), "twins of one command were in two partitions")
        await _meet_at_an_opening(stage, one, other)
        await asyncio.gather(one.drain(), other.drain())


async def _meet_at_an_opening(stage: Stage, *owners: Worker) -> None:
    """An account is opened by both at once, in two partitions: no row that is there already makes one of them wait."""
    async with (
        Client(stage.amqp_url, stage.journal, exchange=ASTRAY) as astray,
        rule(stage.database, _WRITES_LATE, _SERIALISATION, each="STATEMENT"),
    ):
        for user in fresh_users(stage.size(fast=3, usual=10, nightly=50)):
            outcome = await astray.send("open", user, f"{stage.run}:open:{user}", deadline=_MEET_SECONDS)
            stage.must(outcome.cls == "acknowledged", f"an opening that met another one was told {outcome.code}")
    await stage.answered("both have answered")
    conflicts = sum([await owner.meter("mana_commands_looked_at_twice_total") for owner in owners])
    stage.must(conflicts, "no command met another owner's row that it had not seen")
    stage.injected("conflicts with another owner's row, retried", int(conflicts))
    poisoned = sum([await owner.meter("mana_commands_poisoned_total") for owner in owners])
    stage.must(not poisoned, f"{poisoned:.0f} commands were kept for what was another owner's")


async def _followed_and_woken(stage: Stage, owner: Worker, since: float, seconds: float) -> _Pause:
    """Others have its partitions, and answer; then it is woken, and has to begin anew."""
    held = await _held(stage, owner)
    stage.must(held, "the paused worker owned nothing")

    async def followed() -> bool:
        return await _raised(stage, held)

    await until(followed, f"others take {sorted(held)}", _TAKEN_SECONDS)
    taken = time.monotonic() - since
    answered = await stage.answered("owner paused") - since
    await asyncio.sleep(since + seconds - time.monotonic())
    slept, woken = len(owner.lines()), time.monotonic()
    await owner.wake()
    stage.injected("owners woken when others had their partitions")

    async def anew() -> list[str]:
        return [line["reason"] for line in owner.lines()[slept:] if line.get("event") == _ANEW]

    await until(anew, f"{owner.name} finds its leases gone", _AWAKE_SECONDS, owner.log)
    await stage.recovers("owner woken", woken)
    await stage.workers.even()
    return _Pause(taken, answered, (await anew())[0])


async def _overslept(stage: Stage, load: Load) -> None:
    """An owner falls asleep with a batch in its hands; another takes over although it holds its locks."""
    owner = await _stopped_at(stage, "before_begin", mutant="patient_sessions")
    since = time.monotonic()
    held, session = await _held(stage, owner), await _session(stage, owner)
    (heir,) = await stage.workers.start(mutant="every_partition")
    await stage.answered("owner asleep")
    await asyncio.sleep(since + stage.size(fast=12.0, usual=60.0, nightly=60.0) - time.monotonic())
    load.pause()
    await load.at_rest()
    rows = await _rows(stage)
    stage.must(held and await _raised(stage, held), f"nobody has followed the sleeping owner: {held}")
    stage.must(session and session == await _session(stage, owner), "the sleeping owner's session was ended")
    await owner.wake()
    woken = time.monotonic()
    stage.injected("owners woken with their session alive")

    async def refused() -> int:
        return await _refusals(owner)

    await until(refused, f"{owner.name} is refused by the epoch", _AWAKE_SECONDS, owner.log)
    stage.injected("times that a partition was refused to a woken owner", await refused())
    stage.must(rows == await _rows(stage), "the woken owner has written")
    await heir.drain()
    load.go_on()
    await stage.recovers("owner woken", woken)
    await owner.drain()


async def _stopped_at(stage: Stage, point: str, mutant: str | None = None) -> Worker:
    """One more worker, that stops itself at one of its passes of the point."""
    crash = f"{point}:{stage.random.randint(*_PASSES)}:stop"
    (worker,) = await stage.workers.start(crash=crash, mutant=mutant, ready=False)

    async def stopped() -> bool:
        return worker.paused

    await until(stopped, f"{worker.name} stops at {crash}", _STOPS_SECONDS, worker.log)
    return worker


async def _held(stage: Stage, worker: Worker) -> dict[int, int]:
    """The partitions whose locks are the worker's, and their epochs."""
    return dict(await stage.database.fetch(_HELD, worker.name))


async def _raised(stage: Stage, held: dict[int, int]) -> bool:
    """Whether all of these partitions have another owner."""
    epochs = dict(await stage.database.fetch("SELECT partition, epoch FROM credits.partitions"))
    return all(epochs[partition] > epoch for partition, epoch in held.items())


async def _rows(stage: Stage) -> int:
    ((rows,),) = await stage.database.fetch("SELECT count(*) FROM credits.transactions")
    return rows


async def _session(stage: Stage, worker: Worker) -> list[Any]:
    """The server's process that keeps the worker's locks."""
    rows = await stage.database.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = $1", worker.name)
    return [row["pid"] for row in rows]


async def _refusals(worker: Worker) -> int:
    return int((await worker.meters()).get(_REFUSALS, 0))
