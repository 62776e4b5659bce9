"""`python -m bench ledger`: the whole ledger against an echo on the same topology, library and settings.

Both on one private instance with everything durable, by turns, in one run. The echo decodes, replies and acks on
aio-pika; the ledger also decides, commits, and publishes its events. A second echo goes through the worker's own
`workers/broker`: the distance between the two is what that room gains, the distance to the ledger what a ledger costs.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict

import uvloop
from rich.console import Console

from bench.accounts import furnish, new_users
from bench.batches import read_batches
from bench.books import check_charged, check_invariants
from bench.bounds import bounded
from bench.cpu import Meter, Reading
from bench.event_lag import events_behind
from bench.ledger_cases import Case, Cases
from bench.ledger_goals import conclude, goals
from bench.ledger_options import Options, read_options
from bench.machine import look
from bench.memory import peak_megabytes
from bench.processes import is_echo, running
from bench.results import Report, wide_console
from bench.roots import roots
from bench.rounds import Round, to_rows
from ops.instance import Instance, private
from ops.programs import Programs


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps the figures; the exit status: 1 where a goal was missed."""
    options, console = read_options(arguments), wide_console()
    console.print("starting a private instance")
    with private(workers=0, partitions=options.partitions, name="bench", with_processes=False) as instance:
        report = uvloop.run(LedgerBenchmark(instance, options, console).run())
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return report.status


class LedgerBenchmark:
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
        await check_charged(env["MANA_DATABASE_READONLY_URL"], self._users, self._charged)
        await check_invariants(env["MANA_DATABASE_OWNER_URL"])
        rows = to_rows(self._rounds)
        return Report("ledger", await look(env), asdict(self._options), rows, conclude(rows), goals(rows))

    def _rate_of(self, case: str) -> float:
        """What the last measurement of a case came to."""
        return next(each.measured.per_second for each in reversed(self._rounds) if each.case == case)

    async def _prepare(self) -> None:
        self._console.print(f"opening {len(self._users)} accounts")
        async with running(self._workers[:1], self._instance.place.home, "prepare"):
            await furnish(self._url, self._users, self._run)

    async def _measure(self, case: Case, number: int) -> Round:
        name = f"{number}-{case.name.replace(', ', '-').replace(' ', '-')}"
        workers = [program.url for program in case.programs if program.url is not None and not is_echo(program)]
        await case.load.prepare(self._url)
        async with running(case.programs, self._instance.place.home, name) as pids:
            meter, readings = Meter(roots(self._instance, pids)), list[Reading]()
            before = await read_batches(workers)
            measured = await case.load.measure(self._url, lambda: readings.append(meter.read()))
            behind = await events_behind(workers) / measured.answered if workers else None
            after = await read_batches(workers)
            peak = max(map(peak_megabytes, pids)) if workers else None
        if workers:
            self._charged += measured.answered
        batch = None if after is None or before is None else after.mean_since(before)
        start, end = readings
        return Round(case.name, measured, end.since(start), end.elsewhere(start), batch, peak, behind)
