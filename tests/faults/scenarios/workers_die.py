"""S02 to S04: a worker dies between two steps of a batch, again and again, while others work on."""

from __future__ import annotations

from collections import Counter
from typing import Final

from tests.faults.doomed import die_at
from tests.faults.lonely import die_alone
from tests.faults.oracle.journal import Told, read
from tests.faults.oracle.outcomes import attempts_by_key
from tests.faults.scenario import scenario
from tests.faults.stage import Stage

_BURST: Final = 200
"""Commands that lie in the queues when a batch is taken out of them: most of one batch."""


@scenario("S02", "a worker killed between COMMIT and reply")
async def s02(stage: Stage) -> None:
    """Delivered again, a command is answered from memory: with the same transaction, as replayed."""
    await stage.workers.start(2)
    await _die(stage, ("after_commit",), stage.size(fast=2, usual=12, nightly=60))
    replayed = _answered_from_memory(await _told(stage))
    stage.figure("commands answered from memory at first", replayed)
    stage.must(replayed, "no command was answered from memory: what was committed had been told already")


@scenario("S03", "a worker killed between reply and event, and between event and ack")
async def s03(stage: Stage) -> None:
    """A client has its answer, and the event comes, perhaps twice, with the same id."""
    await stage.workers.start(2)
    await _die(stage, ("after_reply", "after_event"), stage.size(fast=2, usual=12, nightly=60))
    twice = _answered_twice(await _told(stage))
    events = Counter((event.subject, event.sequence) for event in stage.subscriber.events() if event.sequence)
    repeated = sum(times > 1 for times in events.values())
    stage.figure("commands answered twice", twice)
    stage.figure("events that came again", repeated)
    stage.must(twice, "no command was answered twice: none was delivered again after its reply")
    stage.must(repeated, "no event came again: none had left without its mark")


@scenario("S04", "a worker killed in the midst of a batch: its rows written, or half of it acknowledged")
async def s04(stage: Stage) -> None:
    """Of a batch there is nothing or all, and its neighbours come to their end."""
    (first,) = await stage.workers.start()
    await stage.users()
    await first.drain()
    for _ in range(stage.size(fast=1, usual=3, nightly=20)):
        for point in ("after_insert", "mid_ack"):
            burst = await die_alone(stage, point, _BURST, at_once=True)
            stage.must(bool(burst.left) == (point == "mid_ack"), f"{point}: {len(burst.left)} rows of the batch")
    await stage.workers.start(2)
    await _die(stage, ("after_insert", "before_commit", "mid_ack"), stage.size(fast=3, usual=12, nightly=60))


async def _die(stage: Stage, points: tuple[str, ...], times: int) -> None:
    """So often, under load, at the points in turn."""
    async with stage.load():
        for number in range(times):
            await stage.recovers("worker killed", await die_at(stage, points[number % len(points)]))


async def _told(stage: Stage) -> Told:
    await stage.journal.synced()
    return read(stage.journal.path)


def _answered_twice(told: Told) -> int:
    """Commands with a second reply. Over REST a 202 comes before what is looked up later: these do not count."""
    return sum(len(told.outcomes.get(n, ())) > 1 for n, sent in told.attempts.items() if sent.transport != "rest")


def _answered_from_memory(told: Told) -> int:
    """Keys that were answered as done before by the very first answer to their first attempt."""
    first = (told.outcomes.get(attempts[0], [])[:1] for attempts in attempts_by_key(told).values())
    return sum(outcome.replayed is True for outcomes in first for outcome in outcomes)
