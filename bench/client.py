"""`python -m bench client`: what `mana-client` takes for a command, by what the library beneath it takes by itself.

One worker behind all of them. The cases take turns, many times and each shortly, so that they share whatever the
machine does; a ratio is that of one round.
"""

from __future__ import annotations

import argparse
import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any, Final

import uvloop
from rich.console import Console

from bench.accounts import furnish, new_users
from bench.alone import side_by_side
from bench.bare import Spender, on_aio_pika, on_aiormq, on_mana_client
from bench.books import check_charged
from bench.cpu import Meter, Reading, disturbance
from bench.machine import look
from bench.processes import running
from bench.results import Goal, Report, Spread, wide_console
from bench.roots import roots
from bench.rounds import Round, to_rows
from contracts.topology import PARTITIONS_DEFAULT
from ops.instance import Instance, private
from ops.programs import Programs

BARE: Final = "aiormq alone"
OURS: Final = "mana-client"
OTHER: Final = "aio-pika alone"
MOST: Final = 1.15
_WARM_UP_SECONDS: Final = 0.3
_KINDS: Final[dict[str, Callable[[str], AbstractAsyncContextManager[Spender]]]] = {
    BARE: on_aiormq,
    OURS: on_mana_client,
    OTHER: on_aio_pika,
}


@dataclass(frozen=True)
class Options:
    """``seconds`` are measured for each case of each round, after some warming up; ``in_flight`` commands at a time,
    and then one."""

    rounds: int
    seconds: float
    in_flight: int
    users: int


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps the figures; the exit status: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="mana bench client", description="What mana-client adds to its library.")
    parser.add_argument("--rounds", type=int, default=21, help="times that everything is measured (21)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each measurement (1)")
    parser.add_argument("--in-flight", type=int, default=64, help="commands under way at a time (64)")
    parser.add_argument("--users", type=int, default=1_000, help="accounts that the load falls on (1000)")
    options, console = Options(**vars(parser.parse_args(arguments))), wide_console()
    if min(asdict(options).values()) <= 0:
        parser.error("every figure must be above 0")
    console.print("starting a private instance")
    with private(workers=0, name="bench", with_processes=False) as instance:
        report = uvloop.run(ClientBenchmark(instance, options, console).run())
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return report.status


class ClientBenchmark:
    """One run on one instance, with one worker."""

    def __init__(self, instance: Instance, options: Options, console: Console) -> None:
        self._instance = instance
        self._options = options
        self._console = console
        self._url = instance.env["MANA_AMQP_URL"]
        self._worker = Programs(instance.addresses, PARTITIONS_DEFAULT, {}).worker(0)
        self._users = new_users(options.users)
        self._rounds: list[Round] = []

    async def run(self) -> Report:
        """Prepares users, measures by turns, checks the ledger's rows against what was answered."""
        env, home = self._instance.env, self._instance.place.home
        async with running([self._worker], home, "prepare"):
            await furnish(self._url, self._users, secrets.token_hex(4))
        # A new one: the first worker of an empty ledger has plans that were made for it.
        async with running([self._worker], home, "client") as pids:
            for number in range(self._options.rounds):
                for in_flight in (self._options.in_flight, 1):
                    for kind in _in_turn(list(_KINDS), number):
                        await self._measure(kind, in_flight, pids)
        charged = sum(each.measured.answered for each in self._rounds)
        await check_charged(env["MANA_DATABASE_READONLY_URL"], self._users, charged)
        rows = to_rows(sorted(self._rounds, key=lambda each: self._cases().index(each.case)))
        return Report(
            bench="client",
            machine=await look(env),
            settings=asdict(self._options),
            rows=rows,
            conclusions={
                **self._conclude(),
                "disturbed": disturbance(max(row.elsewhere_cores.median for row in rows)),
            },
            goals=list(self._goals()),
        )

    def _cases(self) -> list[str]:
        return [_case(kind, in_flight) for in_flight in (self._options.in_flight, 1) for kind in _KINDS]

    async def _measure(self, kind: str, in_flight: int, pids: list[int]) -> None:
        meter, readings = Meter(roots(self._instance, pids)), list[Reading]()
        users = itertools.cycle(self._users)
        async with _KINDS[kind](self._url) as spender:
            measured = await side_by_side(
                lambda: spender.use(next(users)),
                in_flight,
                self._options.seconds,
                lambda: readings.append(meter.read()),
                warm_up=_WARM_UP_SECONDS,
            )
        start, end = readings
        case = _case(kind, in_flight)
        self._rounds.append(Round(case, measured, end.since(start), end.elsewhere(start), None))
        self._console.print(f"{case}: {measured.per_second:,.0f} per second")

    def _conclude(self) -> dict[str, Any]:
        many = self._options.in_flight
        return {
            f"time for a command, {kind} by {BARE}, {in_flight} in flight": str(self._times(kind, in_flight))
            for in_flight in (many, 1)
            for kind in (OURS, OTHER)
        } | {f"CPU of its process, {kind} by {BARE}, {many} in flight": str(self._cpu(kind)) for kind in (OURS, OTHER)}

    def _goals(self) -> Iterator[Goal]:
        for in_flight in (self._options.in_flight, 1):
            name = f"time for a command by the bare library's, {in_flight} in flight"
            yield Goal.at_most(name, self._times(OURS, in_flight).median, MOST)

    def _times(self, kind: str, in_flight: int) -> Spread:
        """What a command takes, by what it takes the bare library: round by round."""
        pairs = zip(self._of(BARE, in_flight), self._of(kind, in_flight), strict=True)
        return Spread.of([bare.measured.per_second / ours.measured.per_second for bare, ours in pairs])

    def _cpu(self, kind: str) -> Spread:
        """The same of the CPU time of the process that asks."""
        many = self._options.in_flight
        pairs = zip(self._of(BARE, many), self._of(kind, many), strict=True)
        return Spread.of([_asking(ours) / _asking(bare) for bare, ours in pairs])

    def _of(self, kind: str, in_flight: int) -> list[Round]:
        return [each for each in self._rounds if each.case == _case(kind, in_flight)]


def _case(kind: str, in_flight: int) -> str:
    return f"{kind}, {in_flight} in flight"


def _in_turn(kinds: list[str], number: int) -> list[str]:
    """In another order in each round: who comes first is nobody's advantage."""
    turn = number % len(kinds)
    return [*kinds[turn:], *kinds[:turn]]


def _asking(each: Round) -> float:
    """CPU seconds of the process that asks, for each command."""
    return each.cpu["generator"] / each.measured.commands
