"""`python -m bench subscribers`: how long commands take to be answered while subscribers of events are in trouble.

An open loop at one rate, far below the capacity, so that what a subscriber costs is not hidden by a full machine. The
cases take turns: nobody but the log; a subscriber that keeps up; the same with one more; the same with one whose queue
is full and refuses; the same with one that has not read a million events. Who keeps up must get every event in order in
each of them.
"""

from __future__ import annotations

import argparse
import secrets
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Final

import uvloop
from rich.console import Console

from bench.accounts import furnish, new_users
from bench.books import check_charged
from bench.cpu import Meter, Reading, disturbance
from bench.keeping_up import keeping_up
from bench.machine import look
from bench.open_loop import SteadyLoad
from bench.populations import uniform
from bench.processes import running
from bench.results import Report, wide_console
from bench.roots import roots
from bench.rounds import Round, to_rows
from bench.scrape import scrape
from bench.subscriber_queues import SubscriberQueues
from bench.subscribers_goals import (
    BEHIND,
    BOTH_HEALTHY,
    CASES,
    NOBODY,
    REFUSING,
    Followed,
    all_followed,
    injected,
    ratios,
    unchanged,
)
from bench.uses import Uses
from contracts.topology import PARTITIONS_DEFAULT
from ops.instance import Instance, private
from ops.programs import Programs

HEALTHY_QUEUE: Final = "bench.healthy"
OTHER_QUEUE: Final = "bench.healthy.too"
FULL_QUEUE: Final = "bench.full"
BEHIND_QUEUE: Final = "bench.behind"
SICK_QUEUES: Final = {REFUSING: FULL_QUEUE, BEHIND: BEHIND_QUEUE}
_FULL_AT: Final = 10
_REFUSED: Final = "mana_events_refused_total"


@dataclass(frozen=True)
class Options:
    """``seconds`` are measured for each case of each round, after a second of warming up; ``rate`` in commands per
    second, ``behind`` in messages that the slow subscriber has not read."""

    rounds: int
    seconds: float
    rate: float
    users: int
    behind: int


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps the figures; the exit status: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="mana bench subscribers", description="Answers, and subscribers in trouble.")
    parser.add_argument("--rounds", type=int, default=7, help="times that everything is measured (7)")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each measurement (6)")
    parser.add_argument("--rate", type=float, default=300.0, help="commands per second (300)")
    parser.add_argument("--users", type=int, default=10_000, help="accounts that the load falls on (10000)")
    parser.add_argument("--behind", type=int, default=1_000_000, help="what the slow one has not read (1000000)")
    options, console = Options(**vars(parser.parse_args(arguments))), wide_console()
    if min(asdict(options).values()) <= 0:
        parser.error("every figure must be above 0")
    console.print("starting a private instance")
    with private(workers=0, name="bench", with_processes=False) as instance:
        report = uvloop.run(SubscribersBenchmark(instance, options, console).run())
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return report.status


class SubscribersBenchmark:
    """One run on one instance, with one worker."""

    def __init__(self, instance: Instance, options: Options, console: Console) -> None:
        self._instance = instance
        self._options = options
        self._console = console
        self._run = secrets.token_hex(4)
        self._url = instance.env["MANA_AMQP_URL"]
        self._worker = Programs(instance.addresses, PARTITIONS_DEFAULT, {}).worker(0)
        self._queues = SubscriberQueues(instance.env)
        self._users = new_users(options.users)
        self._rounds: list[Round] = []
        self._followed: list[Followed] = []

    async def run(self) -> Report:
        """Prepares users and queues, measures by turns, checks what the subscriber got and what the ledger holds."""
        env = self._instance.env
        async with running([self._worker], self._instance.place.home, "prepare"):
            await furnish(self._url, self._users, self._run)
        # A new one: the first worker of an empty ledger has plans that were made for it.
        async with running([self._worker], self._instance.place.home, "subscribers") as pids:
            depth = await self._prepare_queues()
            for number in range(1, self._options.rounds + 1):
                turn = number % len(CASES)
                for case in (*CASES[turn:], *CASES[:turn]):
                    await self._measure(case, number, pids)
        answered = sum(each.measured.answered for each in self._rounds)
        await check_charged(env["MANA_DATABASE_READONLY_URL"], self._users, answered)
        rows = to_rows(sorted(self._rounds, key=lambda each: CASES.index(each.case)))
        return Report(
            bench="subscribers",
            machine=await look(env),
            settings=asdict(self._options),
            rows=rows,
            conclusions={
                **ratios(rows),
                **injected(self._followed),
                "far behind": f"by {depth:,} messages at first",
                "disturbed": disturbance(max(row.elsewhere_cores.median for row in rows)),
            },
            goals=[*unchanged(rows), *all_followed(self._followed)],
        )

    async def _prepare_queues(self) -> int:
        behind = self._options.behind
        await self._queues.make(FULL_QUEUE, **{"x-max-length": _FULL_AT, "x-overflow": "reject-publish"})
        await self._queues.fill(FULL_QUEUE, 10 * _FULL_AT)
        await self._queues.make(BEHIND_QUEUE)
        self._console.print(f"filling a subscriber's queue with {behind:,} messages")
        await self._queues.fill(BEHIND_QUEUE, behind)
        return await self._queues.depth(BEHIND_QUEUE, behind)

    async def _measure(self, case: str, number: int, pids: list[int]) -> None:
        load = SteadyLoad(self._uses(f"{number}-{CASES.index(case)}"), self._options.rate, self._options.seconds)
        round_ = await (self._under_load(case, load, pids) if case == NOBODY else self._followed_by(case, load, pids))
        self._rounds.append(round_)
        p50, p99 = round_.measured.p50, round_.measured.p99
        self._console.print(f"round {number}, {case}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")

    async def _followed_by(self, case: str, load: SteadyLoad, pids: list[int]) -> Round:
        refused = await self._refused()
        healthy = (HEALTHY_QUEUE, OTHER_QUEUE) if case == BOTH_HEALTHY else (HEALTHY_QUEUE,)
        sick = [queue for name, queue in SICK_QUEUES.items() if name == case]
        for queue in healthy:
            await self._queues.make(queue)
        async with self._queues.bound(*healthy, *sick), AsyncExitStack() as stack:
            subscribers = [await stack.enter_async_context(keeping_up(self._url, queue)) for queue in healthy]
            round_ = await self._under_load(case, load, pids)
            verdicts = [await subscriber.has(round_.measured.answered) for subscriber in subscribers]
        for queue in healthy:
            await self._queues.drop(queue)
        turned_away = int(await self._refused() - refused)
        self._followed += [Followed(case, round_.measured.answered, turned_away, verdict) for verdict in verdicts]
        return round_

    async def _under_load(self, case: str, load: SteadyLoad, pids: list[int]) -> Round:
        meter, readings = Meter(roots(self._instance, pids)), list[Reading]()
        measured = await load.measure(self._url, lambda: readings.append(meter.read()))
        start, end = readings
        return Round(case, measured, end.since(start), end.elsewhere(start), None)

    async def _refused(self) -> float:
        """Events that a full queue has turned away so far, by the worker's own count."""
        return 0.0 if self._worker.url is None else (await scrape(self._worker.url))[_REFUSED]

    def _uses(self, name: str) -> Uses:
        return Uses(uniform([user.encode() for user in self._users]), f"{self._run}-{name}")
