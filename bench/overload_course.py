"""The course of an overload: the capacity, too much, then half of it, all by one worker on one instance."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from rich.console import Console

from bench.accounts import furnish, new_users
from bench.books import check_charged
from bench.bounds import bounded
from bench.cpu import Meter, Reading
from bench.held import Held, watched
from bench.load import ClosedLoop, Pace
from bench.open_loop import Arrivals, Offer, OpenLoop
from bench.populations import uniform
from bench.processes import running
from bench.roots import roots
from bench.rounds import Round
from bench.uses import Uses
from contracts.topology import PARTITIONS_DEFAULT, QUEUE_LENGTH_DEFAULT
from ops.instance import Instance
from ops.program import Program
from ops.programs import Programs

OVER: Final = 3.0
"""Times the capacity that arrive in the overload."""
AFTERWARDS: Final = 0.5
_WAITING_SECONDS: Final = 20.0
"""What the default bound of the queues stands for."""
_SETTLE_SECONDS: Final = 180.0
_CAPACITY_ROUNDS: Final = 3
_CAPACITY_SECONDS: Final = 4.0


@dataclass(frozen=True)
class Options:
    """Times in seconds; ``queue_length`` in commands of one partition, where it is given; ``batch_max`` in commands,
    where it is not the worker's own."""

    seconds: float
    afterwards: float
    users: int
    in_flight: int
    connections: int
    queue_length: int | None
    batch_max: int | None


@dataclass(frozen=True)
class Course:
    """The closed loops that the capacity is told by, the bound of each queue, the two offers with all their arrivals,
    what the broker held; and the cores that were busy with something else during the offers."""

    capacity: list[Round]
    queue_length: int
    over: Offer
    after: Offer
    arrivals: Arrivals
    held: Held
    elsewhere: float

    @property
    def per_second(self) -> float:
        """The capacity: the median of its rounds, in commands per second."""
        return _capacity(self.capacity)


class Overload:
    """One run on one instance."""

    def __init__(self, instance: Instance, options: Options, console: Console) -> None:
        self._instance = instance
        self._options = options
        self._console = console
        self._run = secrets.token_hex(4)
        self._url = instance.env["MANA_AMQP_URL"]
        self._users = new_users(options.users)

    async def run(self) -> Course:
        """Goes through it; the ledger's rows are checked against the answers. Raises ``BenchError``."""
        env, options = self._instance.env, self._options
        worker = _worker(self._instance, options.batch_max)
        async with running([worker], self._instance.place.home, "prepare"):
            await furnish(self._url, self._users, self._run)
        # A new one: the first worker of an empty ledger has plans that were made for it.
        async with running([worker], self._instance.place.home, "overload") as pids:
            capacity = [await self._closed_loop(number, pids) for number in range(_CAPACITY_ROUNDS)]
            length = options.queue_length or _bound(_capacity(capacity), slowed=options.batch_max is not None)
            async with bounded(env, length):
                course = await self._beyond(capacity, length, pids)
        answered = sum(each.measured.answered for each in capacity) + course.arrivals.answered
        await check_charged(env["MANA_DATABASE_READONLY_URL"], self._users, answered)
        return course

    async def _closed_loop(self, number: int, pids: list[int]) -> Round:
        meter, readings = Meter(roots(self._instance, pids)), list[Reading]()
        loop = ClosedLoop(self._uses(f"capacity{number}"), Pace(self._options.in_flight, _CAPACITY_SECONDS))
        measured = await loop.measure(self._url, lambda: readings.append(meter.read()))
        start, end = readings
        self._console.print(f"capacity: {measured.per_second:,.0f} per second")
        return Round("capacity", measured, end.since(start), end.elsewhere(start), None)

    async def _beyond(self, capacity: list[Round], length: int, pids: list[int]) -> Course:
        options, per_second = self._options, _capacity(capacity)
        loop, meter = OpenLoop(self._uses("open"), refusals=True), Meter(roots(self._instance, pids))
        start = meter.read()
        async with watched(self._instance) as held, await loop.connect(self._url, options.connections):
            self._console.print(f"{OVER * per_second:,.0f} per second for {options.seconds:.0f} s")
            over = await loop.offer(OVER * per_second, options.seconds)
            self._console.print(f"{AFTERWARDS * per_second:,.0f} per second for {options.afterwards:.0f} s")
            after = await loop.offer(AFTERWARDS * per_second, options.afterwards)
            elsewhere = meter.read().elsewhere(start)
            await loop.settle(_SETTLE_SECONDS)
        return Course(capacity, length, over, after, loop.arrivals, held, elsewhere)

    def _uses(self, name: str) -> Uses:
        return Uses(uniform([user.encode() for user in self._users]), f"{self._run}-{name}")


def _capacity(rounds: list[Round]) -> float:
    return median(each.measured.per_second for each in rounds)


def _bound(per_second: float, *, slowed: bool) -> int:
    """The default; for a worker that was slowed down on purpose, what is the default by its own rate."""
    return math.ceil(_WAITING_SECONDS * per_second / PARTITIONS_DEFAULT) if slowed else QUEUE_LENGTH_DEFAULT


def _worker(instance: Instance, batch_max: int | None) -> Program:
    worker = Programs(instance.addresses, PARTITIONS_DEFAULT, {}).worker(0)
    slower = {} if batch_max is None else {"MANA_BATCH_MAX": str(batch_max)}
    return replace(worker, env={**worker.env, **slower})
