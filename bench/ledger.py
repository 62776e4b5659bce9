"""`python -m bench ledger`: the whole ledger against an echo on the same topology, library and settings.

Both on one private instance with everything durable, by turns, in one run. The echo decodes, replies and acks on
aio-pika; the ledger also decides, commits, and publishes its events. A second echo goes through the worker's own
`workers/broker`: the distance between the two is what that room gains, the distance to the ledger what a ledger costs.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Final

import uvloop
from rich.console import Console

from bench.accounts import grant, new_users, open_accounts
from bench.batches import read_batches
from bench.books import read_books
from bench.bounds import bounded
from bench.caller import Caller
from bench.cpu import Meter, Reading
from bench.errors import BenchError
from bench.ledger_cases import Case, Cases
from bench.ledger_goals import conclude, goals
from bench.ledger_options import Options, read_options
from bench.machine import look
from bench.memory import peak_megabytes
from bench.processes import is_echo, running
from bench.results import Report, wide_console
from bench.rounds import Round, to_rows
from ops.instance import Instance, private
from ops.programs import Programs

CREDITS_EACH: Final = 10_000_000
"""Far more than a benchmark can use: no command may be refused."""


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
        programs = Programs(instance.addresses, options.partitions, {})
        self._workers = [programs.worker(0), programs.worker(1)]
        self._users = new_users(options.users)
        self._charged = 0
        self._rounds: list[Round] = []

    async def run(self) -> Report:
        """Prepares the users, measures by turns, checks the ledger's rows against what was answered."""
        env = self._instance.env
        await self._prepare()
        cases = Cases(self._options, self._users, self._workers, self._run)
        # A user's commands are all in one partition, so one partition may have to hold any backlog whole.
        async with bounded(env, 2 * max(self._options.backlog, self._options.echo_backlog)):
            for number in range(1, self._options.rounds + 1):
                for case in cases.of_round(number, self._rate_of):
                    self._rounds.append(measured := await self._measure(case, number))
                    self._console.print(f"round {number}, {case.name}: {measured.measured.per_second:,.0f} per second")
        await self._check(env["MANA_DATABASE_READONLY_URL"])
        rows = to_rows(self._rounds)
        return Report("ledger", await look(env), asdict(self._options), rows, conclude(rows), goals(rows))

    def _rate_of(self, case: str) -> float:
        """What the last measurement of a case came to."""
        return next(each.measured.per_second for each in reversed(self._rounds) if each.case == case)

    async def _prepare(self) -> None:
        self._console.print(f"opening {len(self._users)} accounts")
        preparing = running(self._workers[:1], self._instance.place.home, "prepare")
        async with preparing, Caller(self._url, self._options.in_flight) as caller:
            await open_accounts(caller, self._users, self._run)
            await grant(caller, self._users, self._run, CREDITS_EACH)

    async def _measure(self, case: Case, number: int) -> Round:
        name = f"{number}-{case.name.replace(', ', '-').replace(' ', '-')}"
        workers = [program for program in case.programs if not is_echo(program)]
        await case.load.prepare(self._url)
        async with running(case.programs, self._instance.place.home, name) as pids:
            meter, readings = Meter(self._roots(pids)), list[Reading]()
            before = await read_batches(program.url for program in workers)
            measured = await case.load.measure(self._url, lambda: readings.append(meter.read()))
            after = await read_batches(program.url for program in workers)
            peak = max(map(peak_megabytes, pids)) if workers else None
        if workers:
            self._charged += measured.answered
        batch = None if after is None or before is None else after.mean_since(before)
        start, end = readings
        return Round(case.name, measured, end.since(start), end.elsewhere(start), batch, peak)

    def _roots(self, pids: list[int]) -> dict[str, list[int]]:
        """The processes whose CPU time is told beside our own; servers with all that they forked."""
        servers = {process.name: process.pid for process in self._instance.status.processes}
        found = {name: servers.get(name) for name in ("postgres", "rabbitmq")}
        return {"worker": pids, **{name: [server] for name, server in found.items() if server is not None}}

    async def _check(self, database_url: str) -> None:
        books = await read_books(database_url, self._users)
        if books.usages != self._charged or books.credits_used != self._charged:
            raise BenchError(
                f"{self._charged} uses were answered, but the ledger holds {books.usages} usages of"
                f" {books.credits_used} credits: no figure of this run means anything."
            )
