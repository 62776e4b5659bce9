"""`python -m bench ledger`: the whole ledger against an echo on the same topology, library and settings.

Both on one private instance with everything durable, by turns, in one run. The echo decodes, replies and acks on
aio-pika; the ledger also decides, commits, and publishes its events. A second echo goes through the worker's own
`workers/broker`: the distance between the two is what that room gains, the distance to the ledger what a ledger costs.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from bench.accounts import grant, new_users, open_accounts
from bench.batches import read_batches
from bench.books import read_books
from bench.caller import Caller
from bench.cpu import Meter, Reading
from bench.errors import BenchError
from bench.ledger_options import Options, read_options
from bench.load import ClosedLoop, Load
from bench.machine import look
from bench.populations import skewed, uniform
from bench.processes import FRAMES_ECHO, echo, is_echo, running
from bench.results import Report, wide_console
from bench.rounds import Round, conclude, to_rows
from ops.instance import Instance, private
from ops.program import Program
from ops.programs import Programs

CREDITS_EACH: Final = 10_000_000
"""Far more than a benchmark can use: no command may be refused."""


@dataclass(frozen=True)
class Case:
    """One thing that is measured in each round."""

    name: str
    program: Program
    load: Load


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps the figures; the exit status."""
    options, console = read_options(arguments), wide_console()
    console.print("starting a private instance")
    with private(workers=0, partitions=options.partitions, name="bench", with_processes=False) as instance:
        report = uvloop.run(_Benchmark(instance, options, console).run())
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return 0


class _Benchmark:
    """One run on one instance."""

    def __init__(self, instance: Instance, options: Options, console: Console) -> None:
        self._instance = instance
        self._options = options
        self._console = console
        self._run = secrets.token_hex(4)
        self._url = instance.env["MANA_AMQP_URL"]
        self._worker = Programs(instance.addresses, options.partitions, {}).worker(0)
        self._users = new_users(options.users)
        self._charged = 0

    async def run(self) -> Report:
        """Prepares the users, measures by turns, checks the ledger's rows against what was answered."""
        env = self._instance.env
        await self._prepare()
        rounds: list[Round] = []
        for number in range(1, self._options.rounds + 1):
            for case in self._cases():
                rounds.append(measured := await self._measure(case, number))
                self._console.print(f"round {number}, {case.name}: {measured.measured.per_second:,.0f} per second")
        await self._check(env["MANA_DATABASE_READONLY_URL"])
        return Report(
            bench="ledger",
            machine=await look(env),
            settings=asdict(self._options),
            rows=to_rows(rounds),
            conclusions=conclude(rounds),
        )

    def _cases(self) -> Iterator[Case]:
        options, ids = self._options, [user.encode() for user in self._users]
        many = Load(options.in_flight, partial(uniform, ids), options.seconds)
        skew = Load(options.in_flight, partial(skewed, ids), options.seconds)
        one = Load(1, partial(uniform, ids), options.seconds)
        yield Case("echo", echo(self._worker), many)
        yield Case("echo, our frames", echo(self._worker, FRAMES_ECHO), many)
        yield Case("ledger", self._worker, many)
        yield Case("ledger, skewed", self._worker, skew)
        yield Case("echo, one in flight", echo(self._worker), one)
        yield Case("ledger, one in flight", self._worker, one)

    async def _prepare(self) -> None:
        self._console.print(f"opening {len(self._users)} accounts")
        async with running(self._worker, self._log("prepare")), Caller(self._url, self._options.in_flight) as caller:
            await open_accounts(caller, self._users, self._run)
            await grant(caller, self._users, self._run, CREDITS_EACH)

    async def _measure(self, case: Case, number: int) -> Round:
        name = f"{number}-{case.name.replace(', ', '-').replace(' ', '-')}"
        async with running(case.program, self._log(name)) as pid:
            meter = Meter(self._roots(pid))
            readings: list[Reading] = []
            address = None if is_echo(case.program) else case.program.url
            before = await read_batches(address)
            loop = ClosedLoop(case.load, f"{self._run}-{name}")
            measured = await loop.measure(self._url, lambda: readings.append(meter.read()))
            after = await read_batches(address)
        if case.program is self._worker:
            self._charged += measured.answered
        batch = None if after is None or before is None else after.mean_since(before)
        start, end = readings
        return Round(case.name, measured, end.since(start), end.elsewhere(start), batch)

    def _roots(self, pid: int) -> dict[str, int]:
        """The processes whose CPU time is told beside our own; servers with all that they forked."""
        servers = {process.name: process.pid for process in self._instance.status.processes}
        found = {name: servers.get(name) for name in ("postgres", "rabbitmq")}
        return {"worker": pid, **{name: server for name, server in found.items() if server is not None}}

    async def _check(self, database_url: str) -> None:
        books = await read_books(database_url, self._users)
        if books.usages != self._charged or books.credits_used != self._charged:
            raise BenchError(
                f"{self._charged} uses were answered, but the ledger holds {books.usages} usages of"
                f" {books.credits_used} credits: no figure of this run means anything."
            )

    def _log(self, name: str) -> Path:
        return self._instance.place.home / f"bench-{name}.log"
