"""`python -m bench fairness`: how soon one app is answered while another one floods, with and without limits.

The flood comes from a process of its own and falls on a few users. The other app sends a little, about the very same
users, so that both share each partition. The cases take turns: the other app alone; beside a flood of more than the
ledger can carry out, which nothing limits; beside the same flood with a limit; and with the limit beside a flood that
comes as fast as the broker takes it, or refuses it: without the keeper of logins, so that nothing but the limit
helps; with it, so that the flood's login is paused again and again; and the same from the flood's first moment on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import uvloop
from rich.console import Console

from bench.accounts import furnish, new_users
from bench.apps import count_pauses, limit, register
from bench.books import check_charged
from bench.course import Measured, percentiles
from bench.cpu import Meter, Reading, disturbance
from bench.errors import BenchError
from bench.flood import FLOWING, Counts
from bench.load import ClosedLoop, Pace
from bench.machine import look
from bench.open_loop import OpenLoop
from bench.populations import uniform
from bench.processes import running
from bench.results import Goal, Report, Row, wide_console
from bench.roots import roots
from bench.rounds import Round, to_rows
from bench.uses import Uses
from contracts.topology import PARTITIONS_DEFAULT
from ops.instance import Instance, private
from ops.programs import Programs, python, run_environment

ALONE: Final = "alone"
UNLIMITED: Final = "beside a flood without a limit"
LIMITED: Final = "beside a flood with a limit"
FULL_SPEED: Final = "beside a flood at full speed with a limit"
PAUSED: Final = "beside a flood at full speed that is paused"
BEGINNING: Final = "beside the beginning of one that is paused"
CASES: Final = (ALONE, UNLIMITED, LIMITED, FULL_SPEED, PAUSED, BEGINNING)
STEADY_APP: Final = "bench-steady"
FLOOD_APP: Final = "bench-flood"
"""Begins the ids of those that flood: each time another one, of which no worker knows what it did before."""
_IN_FLIGHT: Final = 512
_CAPACITY_SECONDS: Final = 4.0
_NO_LIMIT: Final = 1_000_000_000
_SETTLE_SECONDS: Final = 120.0
_FLOWING_SECONDS: Final = 3.0
"""How long the flood flows before anything is measured, but its beginning: its queues are as full as they get by then.
"""
_PAUSED_P50_MS: Final = 300.0


@dataclass(frozen=True)
class Options:
    """``seconds`` are measured for each case of each round; ``rate`` is the other app's, ``allowed`` the flood's limit,
    both in commands per second; the flood is ``over`` times what the ledger can do; ``users`` have both apps' commands.
    """

    rounds: int
    seconds: float
    rate: float
    allowed: int
    over: float
    users: int


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps the figures; the exit status: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="mana bench fairness", description="One app's answers while another floods.")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (3)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each measurement (10)")
    parser.add_argument("--rate", type=float, default=50.0, help="commands per second of the other app (50)")
    parser.add_argument("--allowed", type=int, default=500, help="commands per second that the flood may (500)")
    parser.add_argument("--over", type=float, default=2.0, help="the flood, by what the ledger can do (2)")
    parser.add_argument("--users", type=int, default=4, help="accounts that both fall on (4)")
    options, console = Options(**vars(parser.parse_args(arguments))), wide_console()
    if min(asdict(options).values()) <= 0:
        parser.error("every figure must be above 0")
    console.print("starting a private instance")
    with private(workers=0, name="bench", with_processes=False) as instance:
        report = uvloop.run(FairnessBenchmark(instance, options, console).run())
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return report.status


class FairnessBenchmark:
    """One run on one instance, with one worker."""

    def __init__(self, instance: Instance, options: Options, console: Console) -> None:
        self._instance = instance
        self._options = options
        self._console = console
        self._run = secrets.token_hex(4)
        self._users = new_users(options.users)
        programs = Programs(instance.addresses, PARTITIONS_DEFAULT, {})
        self._worker, self._keeper = programs.worker(0), programs.apps()
        self._rounds: list[Round] = []
        self._capacity = 0.0
        self._floods: dict[str, list[Counts]] = {case: [] for case in CASES if case != ALONE}
        self._pauses: dict[str, int] = dict.fromkeys(CASES, 0)
        self._not_taken: dict[str, int] = dict.fromkeys(CASES, 0)

    async def run(self) -> Report:
        """Raises ``BenchError`` where the ledger refuses anything of the other app's, or counts otherwise."""
        env, home = self._instance.env, self._instance.place.home
        steady = await register(self._instance, STEADY_APP)
        async with running([self._worker], home, "prepare"):
            await furnish(env["MANA_AMQP_URL"], self._users, self._run)
        # A new one: the first worker of an empty ledger has plans that were made for it.
        async with running([self._worker], home, "fairness") as pids:
            loop = ClosedLoop(self._uses(f"{self._run}-capacity"), Pace(_IN_FLIGHT, _CAPACITY_SECONDS))
            capacity = await loop.measure(steady, lambda: None)
            self._capacity = capacity.per_second
            self._console.print(f"capacity: {self._capacity:,.0f} per second")
            for number in range(1, self._options.rounds + 1):
                turn = number % len(CASES)
                for case in (*CASES[turn:], *CASES[:turn]):
                    await self._measure(case, number, steady, pids)
        charged = capacity.answered + sum(each.measured.answered for each in self._rounds)
        charged += sum(counts.charged for floods in self._floods.values() for counts in floods)
        unknown = sum(counts.unknown for floods in self._floods.values() for counts in floods)
        await check_charged(env["MANA_DATABASE_READONLY_URL"], self._users, charged, unknown)
        rows = to_rows(sorted(self._rounds, key=lambda each: CASES.index(each.case)))
        return Report(
            bench="fairness",
            machine=await look(env),
            settings=asdict(self._options),
            rows=rows,
            conclusions={**self._conclude(), "disturbed": disturbance(_elsewhere(rows))},
            goals=self._goals(rows),
        )

    async def _measure(self, case: str, number: int, steady: str, pids: list[int]) -> None:
        run = f"{self._run}-{number}-{CASES.index(case)}"
        if case == ALONE:
            round_ = await self._under_load(case, run, steady, pids)
        else:
            app = f"{FLOOD_APP}-{number}-{CASES.index(case)}"
            flood = await register(self._instance, app)
            await limit(self._instance, app, _NO_LIMIT if case == UNLIMITED else self._options.allowed)
            async with AsyncExitStack() as stack:
                if case != FULL_SPEED:
                    await stack.enter_async_context(running([self._keeper], self._instance.place.home, run))
                await stack.enter_async_context(self._flooding(case, flood, app))
                round_ = await self._under_load(case, run, steady, pids)
            self._pauses[case] += await count_pauses(self._instance, app)
        self._rounds.append(round_)
        measured = round_.measured
        self._console.print(f"round {number}, {case}: p50 {measured.p50:.1f} ms, p99 {measured.p99:.1f} ms")

    async def _under_load(self, case: str, run: str, url: str, pids: list[int]) -> Round:
        uses = self._uses(run)
        meter, readings = Meter(roots(self._instance, pids)), list[Reading]()
        async with await OpenLoop(uses, refusals=True).connect(url) as loop:
            readings.append(meter.read())
            offer = await loop.offer(self._options.rate, self._options.seconds)
            readings.append(meter.read())
            await loop.settle(_SETTLE_SECONDS)
        if offer.missing:
            raise BenchError(f"{offer.missing} commands could not be sent when they were due.")
        took = loop.arrivals.latencies(offer.first, offer.last)
        if not took:
            raise BenchError(f"{case}: not one command of the other app was answered.")
        self._not_taken[case] += loop.arrivals.refused
        p50, p99 = percentiles(took)
        measured = Measured(len(took) / self._options.seconds, p50, p99, len(took), loop.arrivals.answered)
        start, end = readings
        return Round(case, measured, end.since(start), end.elsewhere(start), None)

    def _uses(self, run: str) -> Uses:
        return Uses(uniform([user.encode() for user in self._users]), run, STEADY_APP)

    @asynccontextmanager
    async def _flooding(self, case: str, url: str, app: str) -> AsyncGenerator[None]:
        """A flood until the block ends; then its last answers are waited for."""
        rate = 0.0 if case in (FULL_SPEED, PAUSED, BEGINNING) else self._options.over * self._capacity
        process = await asyncio.create_subprocess_exec(
            *python("bench.flood"), url, app, f"{self._run}-{app}", str(rate), *self._users,
            env=run_environment({}), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        told_by, ended_by = process.stdout, process.stdin
        if told_by is None or ended_by is None:
            raise BenchError("The flood has no pipes.")
        try:
            if (await told_by.readline()).decode().strip() != FLOWING:
                raise BenchError("The flood did not begin.")
            if case != BEGINNING:
                await asyncio.sleep(_FLOWING_SECONDS)
            yield
            ended_by.close()
            told = await told_by.read()
            if await process.wait():
                raise BenchError("The flood broke off.")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        self._floods[case].append(Counts(**json.loads(told)))

    def _conclude(self) -> dict[str, Any]:
        told: dict[str, Any] = {"capacity": f"{self._capacity:,.0f} commands per second, closed loop"}
        for case, floods in self._floods.items():
            sent = sum(counts.sent for counts in floods)
            told[f"the flood, {case.removeprefix('beside a flood ')}"] = (
                f"{sent:,} sent; {sum(counts.not_taken for counts in floods):,} not taken by the broker,"
                f" {sum(counts.overloaded for counts in floods):,} refused as overloaded,"
                f" {sum(counts.charged for counts in floods):,} carried out,"
                f" {sum(counts.unknown for counts in floods):,} unknown; paused {self._pauses[case]} times,"
                f" {sum(counts.connections for counts in floods):,} connections ended or refused"
            )
            told[f"the other app's, {case}"] = f"{self._not_taken[case]:,} not taken by the broker"
        return told

    def _goals(self, rows: list[Row]) -> list[Goal]:
        found = {row.name: row for row in rows}
        limited, unlimited, paused = found[LIMITED], found[UNLIMITED], found[PAUSED].p50_ms
        goals = [
            Goal.at_most(f"{case}: of the other app's, refused", self._not_taken[case], 0) for case in (LIMITED, PAUSED)
        ]
        if paused is not None:
            goals.append(Goal.at_most(f"{PAUSED}: p50, in ms", paused.median, _PAUSED_P50_MS))
        for name, ours, theirs in (
            ("p50", limited.p50_ms, unlimited.p50_ms),
            ("p99", limited.p99_ms, unlimited.p99_ms),
        ):
            if ours is not None and theirs is not None:
                goals.append(Goal.at_most(f"{name}, with a limit / without", ours.median / theirs.median, 0.5))
        return goals


def _elsewhere(rows: list[Row]) -> float:
    return max(row.elsewhere_cores.median for row in rows)
