"""A worker that dies at a crash point with nobody beside it, so that what it leaves behind can be looked at."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from typing import Final

from tests.faults.doomed import ENDING, dead, hits
from tests.faults.oracle.journal import Outcome
from tests.faults.stage import Stage
from tests.faults.tools.broker import Broker
from tests.faults.tools.telling import until
from tests.faults.tools.workers import Worker

_DEADLINE: Final = 60.0
"""Seconds that the burst waits for the worker that comes after the dead one."""
_QUEUED_SECONDS: Final = 60.0
_LEFT: Final = """
SELECT (SELECT sum(epoch)::bigint FROM credits.partitions) AS epochs,
    array(SELECT idempotency_key FROM credits.transactions WHERE idempotency_key = ANY($1::text[])) AS keys
"""


@dataclass
class Burst:
    """Commands sent at once, and what came of each: ``keys`` in the order sent, ``left`` when the worker was dead."""

    keys: list[str]
    left: set[str] = field(default_factory=set[str])
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])

    @property
    def replayed(self) -> set[str]:
        """The keys that were answered from memory: what the dead worker had done, and told nobody."""
        return {key for key, outcome in self.outcomes.items() if outcome.replayed}

    @property
    def new(self) -> set[str]:
        """The keys that were answered as done now."""
        return {key for key, outcome in self.outcomes.items() if outcome.replayed is False}


async def die_alone(stage: Stage, point: str, size: int, *, at_once: bool = False) -> Burst:
    """The only worker dies at its first pass of the point with a burst of uses before it; its next life goes on.

    Users are there already. ``at_once``: it finds the whole burst in its queues, and so takes it in few batches. Notes
    what does not hold: each command is answered by the next life, as done before only where its row was there.
    """
    assert not stage.workers.present, "somebody else would take the dead worker's place"
    (worker,) = await stage.workers.start(crash=f"{point}:1")
    users, epochs = await stage.users(), await _epochs(stage)
    burst = Burst([f"{stage.run}:{point}:{worker.name}:{number}" for number in range(size)])
    if at_once:
        await worker.pause()
    sending = [
        asyncio.create_task(stage.client.send("use", user, key, amount=1, deadline=_DEADLINE))
        for user, key in zip(_users(stage, users, size), burst.keys, strict=True)
    ]
    if at_once:
        await queued(stage.broker, size)
        await worker.wake()
    if point in ENDING:
        worker.process.send(signal.SIGTERM)
    await dead(worker)
    await _look(stage, worker, point, burst, epochs)
    burst.outcomes = dict(zip(burst.keys, await asyncio.gather(*sending), strict=True))
    _check(stage, point, burst)
    await stage.workers.even()  # the dead one may have answered all, and nobody have come yet to send its events
    await worker.drain()  # which leaves none behind for the next one to begin with
    return burst


def _users(stage: Stage, users: list[str], size: int) -> list[str]:
    """Two commands in a row of each: a batch with several of one channel, and with several channels."""
    chosen = stage.random.choices(users, k=(size + 1) // 2)
    return [user for user in chosen for _ in range(2)][:size]


async def queued(broker: Broker, size: int) -> None:
    """Returns once so many commands are in the queues. Raises ``AssertionError``."""

    async def all_there() -> bool:
        return sum(depth.ready + depth.unacked for depth in (await broker.depths()).values()) >= size

    await until(all_there, f"{size} commands are in the queues", _QUEUED_SECONDS)


async def _epochs(stage: Stage) -> int:
    ((epochs, _),) = await stage.database.fetch(_LEFT, [])
    return epochs


async def _look(stage: Stage, worker: Worker, point: str, burst: Burst, epochs: int) -> None:
    """What is left of the burst, before anybody else can have written: nobody has raised an epoch."""
    ((since, keys),) = await stage.database.fetch(_LEFT, burst.keys)
    stage.must(since == epochs, f"{point}: its next life was there before anybody could look")
    burst.left = set(keys)
    hit = hits(worker, point) == 1
    stage.must(hit, f"the only worker ended otherwise than at {point}")
    stage.injected("the only worker killed at a crash point", int(hit))


def _check(stage: Stage, point: str, burst: Burst) -> None:
    unanswered = sum(outcome.cls != "acknowledged" for outcome in burst.outcomes.values())
    stage.must(not unanswered, f"{point}: {unanswered} commands were not answered by the next life")
    invented = burst.replayed - burst.left
    stage.must(not invented, f"{point}: {len(invented)} commands were answered as done before, and had no row")
