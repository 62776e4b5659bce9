"""S40, S41: more than can be worked off, waiting or arriving."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from tests.faults.backlog import COMMAND_QUEUES, POLICY, queue_up
from tests.faults.oracle.client import in_flight
from tests.faults.oracle.load import Load
from tests.faults.oracle.mix import Mix
from tests.faults.oracle.outcomes import codes
from tests.faults.oracle.resolve import quiesce
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.telling import until

_AT_ONCE: Final = 4_000
_IN_FLIGHT: Final = 512
"""Commands under way in the closed loop that the backlog is compared with."""
_MIB: Final = 1024 * 1024
_MEMORY: Final = 150 * _MIB
_RATE_OF: Final = """
SELECT count(*) / extract(epoch FROM max(created_at) - min(created_at))::float8 AS rate
FROM credits.transactions WHERE idempotency_key LIKE $1
"""
"""Commands a second by the database's clock, from the first one's transaction to the last one's."""

_SLOW: Final = "before_commit:*:sleep:25"
_SLOW_BATCH: Final = 8
"""Commands in a batch of a worker that sleeps 25 ms over each: about 300 a second."""
_USES_ONLY: Final = Mix(use=1.0, replay=0.0, conflict=0.0, insufficient=0.0, rest=0.0, poor=0.0)
"""By one client alone: a front would be a second door, with another limit to what it lets in."""
_CALM_SECONDS: Final = 60.0
_WATCHED_SECONDS: Final = 120.0
_WINDOW_SECONDS: Final = 2.0
_SOON: Final = 1.0
_NEARLY_ALL: Final = 0.99


@scenario("S40", "a large backlog meets workers that have just started", recovers=30, partitions=32)
async def cold_start(stage: Stage) -> None:
    """It drains, in order, as fast as the same workers answered before, and within the memory of a worker.

    Who comes later waits for a turn behind it; or is refused, if that is too late.
    """
    number = stage.size(fast=5_000, usual=200_000, nightly=1_000_000)
    await stage.workers.start(2)
    await stage.users()
    await _closed_loop(stage, stage.size(fast=2_000, usual=20_000, nightly=20_000))
    waiting = await queue_up(stage, number, at_once=_AT_ONCE)
    stage.injected("commands waiting", waiting)
    began = time.monotonic()
    patience = stage.size(fast=60.0, usual=300.0, nightly=1_200.0)
    async with asyncio.TaskGroup() as group:
        group.create_task(_waits_for_a_turn(stage, patience))
        group.create_task(_comes_too_late(stage, stage.size(fast=0.5, usual=5.0, nightly=5.0), patience))
        await _behind(stage, waiting, 2)
        workers = await stage.workers.start(2)
    left = await quiesce(stage.instance.addresses.management, stage.amqp_url, quiet=1.0, within=patience)
    stage.must(not left, f"of the backlog these were left after {patience:.0f} s: {left}")
    stage.figure("worked off after, s", time.monotonic() - began)
    await stage.recovers("backlog worked off", time.monotonic())
    await _must_have_been_quick(stage)
    memory = [worker.peak_rss() // _MIB for worker in workers]
    stage.figure("memory of the workers at their peaks, MiB", memory)
    stage.must(max(memory) * _MIB < _MEMORY, f"a worker came to {max(memory)} MiB")
    await stage.broker.remove_policy(POLICY)


async def _closed_loop(stage: Stage, number: int) -> None:
    """So many uses, some hundred at a time: what the drain is compared with."""
    users = await stage.users()
    await in_flight(
        _IN_FLIGHT,
        (
            partial(stage.client.send, "use", users[n % len(users)], f"{stage.run}:closed:{n}", amount=1)
            for n in range(number)
        ),
    )


async def _waits_for_a_turn(stage: Stage, patience: float) -> None:
    user, *_ = await stage.users()
    waits = await stage.client.send("use", user, f"{stage.run}:waits", amount=1, deadline=patience)
    stage.must(waits.cls == "acknowledged", f"a command that can wait was answered {waits}")


async def _comes_too_late(stage: Stage, seconds: float, patience: float) -> None:
    """A command that must not wait for as long as all that is before it takes."""
    _, user, *_ = await stage.users()
    deadline = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    key, sent = f"{stage.run}:too-late", time.monotonic()
    late = await stage.client.send("use", user, key, amount=1, deadline=patience, headers={"deadline": deadline})
    took = time.monotonic() - sent
    stage.must(late.code == "deadline_exceeded", f"a command whose deadline passed as it waited was answered {late}")
    stage.must(took >= seconds, f"a command was refused for its deadline {took:.1f} s after it came, not {seconds:.1f}")


async def _behind(stage: Stage, waiting: int, more: int) -> None:
    """Returns once these lie in the queues too."""

    async def look() -> bool:
        return sum(depth.ready for depth in (await stage.broker.depths()).values()) == waiting + more

    await until(look, f"{more} commands wait behind {waiting}", 20.0)


async def _must_have_been_quick(stage: Stage) -> None:
    rates: dict[str, float] = {}
    for name in ("closed", "backlog"):
        found: list[Any] = await stage.database.fetch(_RATE_OF, f"{stage.run}:{name}:%")
        rates[name] = found[0]["rate"]
    stage.figure(
        "commands a second, in a closed loop and from the backlog", ", ".join(f"{r:,.0f}" for r in rates.values())
    )
    stage.must(rates["backlog"] >= rates["closed"], f"a backlog is worked off slower than a closed loop: {rates}")


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
    since = time.time()
    async with stage.load(3 * capacity, mix=_USES_ONLY, deadline=30.0) as flood:
        await stage.pass_time(fast=5.0, usual=60.0, nightly=300.0)
        flood.pause()
        over, until_ = time.monotonic(), time.time()
        # Whoever still waits for an answer to the flood does so beside those who come afterwards.
        async with stage.load(capacity / 3, mix=_USES_ONLY) as ordinary:
            await _calm(ordinary, over, stage)
            await stage.recovers("overload over", over)
    await _must_have_been_refused(stage, flood, since, until_)
    await stage.broker.remove_policy("faults-overload")


async def _must_have_been_refused(stage: Stage, flood: Load, since: float, until_: float) -> None:
    """At the door, and not by silence alone."""
    stage.injected("commands sent at three times the capacity", flood.sent)
    told = codes(await stage.told(), "amqp", since, until_)
    stage.figure("refused by full queues of them", f"{told['nacked']:,}")
    stage.figure("without an answer", f"{told['timeout'] + told['silence']:,}")
    stage.must(told["nacked"], f"no command was refused at the door: {dict(told)}")


async def _calm(load: Load, over: float, stage: Stage) -> None:
    """Waits for two seconds of which 99 commands in 100 are answered within one; that must be soon after ``over``.

    Who is refused or not answered counts as late.
    """
    while (since := time.monotonic()) - over < _WATCHED_SECONDS:
        await asyncio.sleep(_WINDOW_SECONDS + _SOON)
        if load.answered_within(_SOON, since, since + _WINDOW_SECONDS) >= _NEARLY_ALL:
            stage.figure("99th percentile below 1 s again after, s", since - over)
            stage.must(
                since - over <= _CALM_SECONDS, f"answers were late until {since - over:.0f} s after the overload"
            )
            return
    stage.must(False, f"answers were still late {_WATCHED_SECONDS:.0f} s after the overload")
