"""S39: subscribers that refuse, and that are far behind."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from bench.frames import BrokerError, Consumer, consume
from bench.results import Spread
from bench.subscriber_queues import SubscriberQueues
from bench.subscribers_goals import noise
from tests.faults.oracle.eventlog import read_log
from tests.faults.oracle.events import Position, positions
from tests.faults.oracle.load import Load
from tests.faults.scenario import scenario
from tests.faults.stage import Stage

_BOUND: Final = 1_000
_PARTS: Final = {"median": 0.5, "99th percentile": 0.99}
_MADE: Final = """
SELECT account_id::text AS account, sequence FROM credits.transactions
WHERE created_at BETWEEN to_timestamp($1::float8) AND to_timestamp($2::float8)
"""
_ON_ITS_WAY_SECONDS: Final = 5.0
"""An event is published so soon after its row was made, at the latest, where nothing but subscribers is ill."""

Window = tuple[float, float]
"""From when to when, by ``time.monotonic``."""


@scenario("S39", "a subscriber whose full queue refuses events, and one that is far behind", recovers=60)
async def bad_subscribers(stage: Stage) -> None:
    """Commands are answered as with two healthy ones in their place, and everybody else gets every event.

    A further queue is work for the broker, whoever reads it; what must not show is that these are in trouble. Who is
    behind has each event in its queue; who has refused some finds all of them in the log.
    """
    behind = stage.size(fast=2_000, usual=500_000, nightly=1_000_000)
    queues = SubscriberQueues(stage.instance.env)
    full, slow = f"{stage.run}.full", f"{stage.run}.slow"
    workers = await stage.workers.start(2)
    await queues.make(full, **{"x-max-length": _BOUND, "x-overflow": "reject-publish"})
    await queues.make(slow)
    await queues.fill(full, _BOUND)
    await queues.fill(slow, behind)
    well = [f"{stage.run}.well-{n}" for n in range(2)]
    for name in well:
        await queues.make(name)
    held = await _held(stage, slow)
    stage.must(held == behind, f"the one that is behind has {held} messages, where {behind} were put into its queue")
    async with stage.load() as load:
        async with _read(stage, *well), queues.bound(*well):
            without = await _windows(stage, stage.size(fast=3, usual=6, nightly=30))
        since = time.time()
        async with queues.bound(full, slow):
            with_them = await _windows(stage, stage.size(fast=3, usual=30, nightly=360))
            refused = sum([await worker.meter("mana_events_refused_total") for worker in workers])
            until = time.time()
        async with _read(stage, *well), queues.bound(*well):
            without += await _windows(stage, stage.size(fast=3, usual=6, nightly=30))
    stage.must(refused, "the full queue refused nothing")
    stage.injected("events refused by a full queue", int(refused))
    stage.injected("messages that another subscriber was behind", held)
    _must_be_answered_as_before(stage, load, without, with_them)
    await _must_have_all(stage, slow, held, since, until)
    await _must_find_all_in_the_log(stage, since, until)
    for name in (full, slow, *well):
        await queues.drop(name)
    await stage.recovers("without them", time.monotonic())


async def _held(stage: Stage, queue: str) -> int:
    return (await stage.broker.depths())[queue].ready


@asynccontextmanager
async def _read(stage: Stage, *queues: str) -> AsyncGenerator[None]:
    """Healthy subscribers: whatever comes is taken at once. Raises ``BrokerError`` where one lost its connection."""
    consumers: list[Consumer] = []
    lost: list[BrokerError] = []
    for queue in queues:
        place = len(consumers)
        consumers.append(
            await consume(
                stage.amqp_url, queue, take=lambda tag, _, n=place: consumers[n].ack_up_to(tag), lost=lost.append
            )
        )
    yield
    for consumer in consumers:
        await consumer.close()
    if lost:
        raise lost[0]


async def _windows(stage: Stage, number: int) -> list[Window]:
    """Lets the load run for so many stretches of time."""
    found: list[Window] = []
    for _ in range(number):
        began = time.monotonic()
        await stage.pass_time(fast=2.0, usual=10.0, nightly=10.0)
        found.append((began, time.monotonic()))
    return found


def _must_be_answered_as_before(stage: Stage, load: Load, without: list[Window], with_them: list[Window]) -> None:
    """By the benchmark's rule: "as before" allows for as much as the stretches differ among themselves."""
    for name, part in _PARTS.items():
        before, during = (
            Spread.of([1_000 * load.percentile(part, *window) for window in windows])
            for windows in (without, with_them)
        )
        told = f"{before.median:.1f} ms with healthy ones, {during.median:.1f} ms with these"
        stage.figure(f"{name} of the answers", told)
        allowed = 1 + noise(before, during)
        stage.must(during.median <= allowed * before.median, f"{name}: {told}, more than {allowed:.2f} times as much")


async def _must_have_all(stage: Stage, slow: str, held: int, since: float, until: float) -> None:
    """The queue of who is behind: what is in it cannot be told apart without taking it, but counted."""
    made = len(await _made(stage, since, until - _ON_ITS_WAY_SECONDS))
    came = await _held(stage, slow) - held
    stage.figure("events in the queue of the one that is behind, besides", came)
    stage.must(came >= made > 0, f"the one that is behind got {came} events of {made} transactions")


async def _must_find_all_in_the_log(stage: Stage, since: float, until: float) -> None:
    made = await _made(stage, since, until)
    users = {user for user, _ in made}
    found = positions(await read_log(stage.amqp_url, users, made, since))
    stage.figure("events of that time, found in the log", f"{len(made & found):,} of {len(made):,}")
    stage.must(made <= found, f"the log has a gap: {sorted(made - found)[:3]}, {len(made - found)} in all")


async def _made(stage: Stage, since: float, until: float) -> set[Position]:
    """The transactions of this time, in seconds since 1970."""
    rows: list[Any] = await stage.database.fetch(_MADE, since, until)
    return {(row["account"], row["sequence"]) for row in rows}
