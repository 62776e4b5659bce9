"""`python -m bench production`: the whole service under a trace of LLM requests, with one fault a minute.

No measurement of speed: what is asked is that nothing is lost, and that memory and connections at the end are what they
were at the start. All of an instance runs: servers, PgBouncer, Prometheus, front, workers, and the processes for
mails, payments, apps, usage, the outbox and the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import asyncpg
import uvloop
from rich.console import Console

from api.settings import Settings
from bench.accounts import furnish, new_users, read_balances
from bench.books import check_invariants, read_books
from bench.caller import Caller
from bench.calls import Call, Sendings
from bench.machine import look
from bench.production_faults import Faults
from bench.production_gauges import Gauges, Look
from bench.production_rest import RestLoad
from bench.replay import sample, trace
from bench.replay.accounting import Accounting, Credits, Tally
from bench.replay.run import IN_FLIGHT_PACED, commands
from bench.replay.trace import Request
from bench.results import Goal, Report, wide_console
from bench.signed_in import sign_in
from contracts.replies import ReplyView
from ops.instance import Instance, private
from ops.layout import Pooling
from tests.faults.oracle.eventlog import read_log
from tests.faults.oracle.events import positions
from tests.faults.tools.telling import until

_MINUTE: Final = 60.0
_REST_USERS: Final = 20
_CALM_SECONDS: Final = 30.0
"""At the start and at the end, for the figures that are compared; nothing is hurt meanwhile."""
_GROWTH: Final = 1.25
_GROWTH_MEGABYTES: Final = 20.0
"""What memory may grow by, whichever is more: a process keeps what it has met once."""
_SETTLE_SECONDS: Final = 60.0
_GROWTH_FILES: Final = 4
"""A worker has up to three connections to PostgreSQL and one for late replies, and opens most of them when needed."""
_OWN_FILES: Final = 16
"""The event loop's, the log, pipes, the socket that is listened on: 14 in each of our processes, and two to spare."""
_FRONTS_FILES: Final = _OWN_FILES + Settings.model_fields["database_pool_size"].default + 6
"""What the front's pool may hold, beside a connection that hears announcements, one to RabbitMQ, and two each by which
limits are counted and tries are noted. The pool fills when many requests come at once, and gives nothing back. So its
files grow up to this and no further, whoever is killed."""
_GROWTH_CONNECTIONS: Final = 6
"""What two workers and a front open when it is needed first."""
_SERVERS: Final = frozenset(
    {"postgres", "rabbitmq", "epmd", "redis", "pgbouncer", "prometheus", "alertmanager", "stripe"}
)
"""Whose files are many, and as many as they have connections and tables: their connections are looked at instead."""
_KEPT_MEGABYTES: Final[Mapping[str, float]] = {"rabbitmq": 2 * 67.1, "prometheus": 40}
"""What two keep in memory beyond what others may. RabbitMQ: its log of quorum queues (``raft.wal_max_size_bytes``,
64 MiB), and the one before until its segments are written. Prometheus: all samples of two hours, some 1 MB a minute."""
_MADE: Final = """
SELECT account_id::text AS account, sequence FROM credits.transactions WHERE account_id = any($1::text[]::uuid[])
"""
_COUNTED: Final = """
SELECT coalesce(sum(uses), 0)::bigint FROM credits.usage_stats WHERE account_id = any($1::text[]::uuid[])
"""
_OPENED: Final = "SELECT count(*) FROM credits.balances WHERE account_id = any($1::text[]::uuid[])"


@dataclass(frozen=True)
class Options:
    """``trace`` is a CSV as ``./mana replay`` takes it (``None``: one that is made up in a real one's shape), begun
    again as often as the minutes need; ``speed`` is a multiple of its own."""

    trace: Path | None
    minutes: float
    speed: float
    users: int


def main(arguments: list[str]) -> int:
    """Runs, prints, keeps the figures; the exit status: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="mana bench production", description="Everything, under faults and a trace.")
    parser.add_argument("trace", nargs="?", type=Path, help="CSV: TIMESTAMP,ContextTokens,GeneratedTokens")
    parser.add_argument("--minutes", type=float, default=15.0, help="how long (15); one fault for each but two")
    parser.add_argument("--speed", type=float, default=20.0, help="times the trace's own speed (20)")
    parser.add_argument("--users", type=int, default=500, help="accounts that the requests fall on (500)")
    options, console = Options(**vars(parser.parse_args(arguments))), wide_console()
    if options.minutes < 3 or min(options.speed, options.users) <= 0:
        parser.error("three minutes at least, and every figure above 0")
    console.print("starting a private instance, with everything that there is")
    with private(
        workers=2,
        partitions=8,
        name="production",
        environment={"JWT_ACCESS_TOKEN_EXPIRY": "4h"},
        with_stand_in=True,
        monitored=True,
        pooling=Pooling(),
    ) as instance:
        report = uvloop.run(Production(instance, options, console).run())
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return report.status


def repeated(requests: list[Request], seconds: float) -> Iterator[Request]:
    """The trace, from its first request again after its last, for so many seconds of its own time."""
    length, rounds, number = requests[-1].at, 0, 0
    while True:
        for request in requests:
            at = rounds * length + request.at
            if at > seconds:
                return
            number += 1
            yield Request(number, at, request.credits)
        rounds += 1


class Production:
    """One run on one instance."""

    def __init__(self, instance: Instance, options: Options, console: Console) -> None:
        self._instance = instance
        self._options = options
        self._console = console
        self._run = f"production-{secrets.token_hex(4)}"
        self._users = new_users(options.users)
        self._tally = Tally()
        self._seconds: list[float] = []
        self._gauges = Gauges(instance)
        self._faults = Faults(instance)

    async def run(self) -> Report:
        """Raises ``BenchError`` where something is answered as it must not be, or does not come back."""
        options, env = self._options, self._instance.env
        read = trace.read(options.trace) if options.trace else trace.parse(sample.lines(20_000), "the sample")
        requests = list(repeated(read, options.minutes * _MINUTE * options.speed))
        since = time.time()
        await furnish(env["MANA_AMQP_URL"], self._users, self._run)
        signed_in = await sign_in(env["MANA_API_URL"], env["MANA_AMQP_URL"], _REST_USERS, self._run, 1_000_000)
        rest = RestLoad(env["MANA_API_URL"], signed_in, self._run)
        ended = asyncio.Event()
        async with Caller(env["MANA_AMQP_URL"], IN_FLIGHT_PACED) as caller, asyncio.TaskGroup() as group:
            before = Credits.of(await read_balances(caller, self._users))
            by_rest = group.create_task(rest.follow(ended))
            charging = group.create_task(self._charge(caller, requests))
            await self._hurt()
            sendings = await charging
            ended.set()
            await by_rest
            after = Credits.of(await read_balances(caller, self._users))
        books = await read_books(env["MANA_DATABASE_READONLY_URL"], self._users)
        asked = sum(request.credits for request in requests)
        accounting = Accounting(len(requests), asked, self._tally, before, after, books)
        lost = [*accounting.faults(), *await self._lost(rest, since)]
        await check_invariants(env["MANA_DATABASE_OWNER_URL"])
        start, end = self._gauges.usual("start"), self._gauges.usual("end")
        return Report(
            bench="production",
            machine=await look(env),
            settings={**asdict(options), "trace": options.trace.name if options.trace else "made up"},
            rows=[],
            conclusions={**self._told(sendings, rest), "what is wrong": "; ".join(lost) or "nothing"},
            goals=[*flat(start, end), Goal.at_most("what is lost, or charged otherwise", len(lost), 0)],
            more={
                "faults": [asdict(done) for done in self._faults.done],
                "start": asdict(start),
                "end": asdict(end),
            },
        )

    async def _charge(self, caller: Caller, requests: list[Request]) -> Sendings:
        began = time.monotonic()

        def take(call: Call, reply: ReplyView) -> None:
            self._tally.take(requests[call.number].credits, reply)
            self._seconds.append(time.monotonic() - began - call.due)

        return await caller.run(commands(requests, self._users, self._run, self._options.speed), take)

    async def _hurt(self) -> None:
        """A calm minute, whose second half is looked at; a fault a minute; another calm minute, looked at so too."""
        began = time.monotonic()
        await asyncio.sleep(_MINUTE - _CALM_SECONDS)
        await self._gauges.watch("start", _CALM_SECONDS)
        for minute in range(1, int(self._options.minutes) - 1):
            done = await self._faults.next()
            self._console.print(f"minute {minute}: {done.name}; whole again after {done.whole_after} s")
            await asyncio.sleep(max(0.0, began + (minute + 1) * _MINUTE - time.monotonic()))
        await asyncio.sleep(_MINUTE - _CALM_SECONDS)
        await self._gauges.watch("end", _CALM_SECONDS)

    async def _lost(self, rest: RestLoad, since: float) -> list[str]:
        """What the ledger, its events and the statistics say against what was answered, a sentence each."""
        env = self._instance.env
        spenders = [each.user for each in rest.users]
        books = await read_books(env["MANA_DATABASE_READONLY_URL"], spenders)
        lost = list[str]()
        if (books.usages, books.credits_used) != (rest.spent, rest.spent):
            lost.append(f"{rest.spent} uses were answered by REST, the ledger holds {books.usages}")
        everybody = {*self._users, *spenders, *rest.signed_up}
        database = await asyncpg.connect(env["MANA_DATABASE_OWNER_URL"])
        try:
            opened = await _settled(database, _OPENED, rest.signed_up, len(rest.signed_up))
            if opened != len(rest.signed_up):
                lost.append(f"{len(rest.signed_up)} users signed up meanwhile, {opened} have accounts")
            uses = self._tally.charged + rest.spent
            counted = await _settled(database, _COUNTED, [*self._users, *spenders], uses)
            if counted != uses:
                lost.append(f"{uses} uses were answered, the statistics count {counted}")
            made = {(row["account"], row["sequence"]) for row in await database.fetch(_MADE, list(everybody))}
        finally:
            await database.close()
        told = positions(await read_log(env["MANA_AMQP_URL"], everybody, made, since))
        if told != made:
            lost.append(f"{len(made)} transactions, but {len(made - told)} have no event, {len(told - made)} only one")
        return lost

    def _told(self, sendings: Sendings, rest: RestLoad) -> dict[str, Any]:
        times = {name: quantiles(seconds, n=100) for name, seconds in (("AMQP", self._seconds), ("REST", rest.seconds))}
        return {
            "requests of the trace": f"{self._tally.charged:,} charged, {sum(self._tally.refused.values()):,} refused",
            "sent again": f"{sendings.unanswered:,} without an answer, {sendings.overloaded:,} not taken",
            "by REST": f"{rest.spent:,} uses, {len(rest.signed_up):,} signed up; meanwhile {dict(rest.otherwise)}",
            **{
                f"answered, {name}": f"half within {cut[49] * 1_000:,.0f} ms, 99 of 100 within {cut[98]:,.1f} s"
                for name, cut in times.items()
            },
            "whole again at the latest": f"{max(done.whole_after for done in self._faults.done)} s after a fault",
        }


async def _settled(database: asyncpg.Connection, question: str, users: Iterable[str], expected: int) -> int:
    """The answer once it is as expected; else what it was when the patience ended."""
    found = -1

    async def look() -> bool:
        nonlocal found
        found = await database.fetchval(question, list(users)) or 0
        return found == expected

    with suppress(AssertionError):
        await until(look, question, _SETTLE_SECONDS)
    return found


def flat(start: Look, end: Look) -> list[Goal]:
    """Memory of all, files of our own processes, connections to servers."""
    goals = list[Goal]()
    for name, megabytes in sorted(start.megabytes.items()):
        most = max(megabytes * _GROWTH, megabytes + _GROWTH_MEGABYTES, megabytes + _KEPT_MEGABYTES.get(name, 0))
        goals.append(_grown(f"{name}: MB", megabytes, end.megabytes.get(name), most))
        if name not in _SERVERS:
            files = start.files[name]
            most = _FRONTS_FILES if name == "api" else files + _GROWTH_FILES
            goals.append(_grown(f"{name}: open files", files, end.files.get(name), most))
    for name, number in sorted(start.connections.items()):
        goals.append(_grown(f"{name}: connections", number, end.connections.get(name), number + _GROWTH_CONNECTIONS))
    return goals


def _grown(what: str, start: float, end: float | None, most: float) -> Goal:
    return Goal.at_most(what, end, most, f", from {start:.0f} at the start")
