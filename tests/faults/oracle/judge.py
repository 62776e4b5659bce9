"""From the end of a run to its verdict: rest, the unknown resolved, the known asked again, and the ten equations."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

from ops.place import CHECKOUT
from ops.programs import python, run_environment
from tests.faults.oracle import journal as journals
from tests.faults.oracle.books import read_books
from tests.faults.oracle.client import Client
from tests.faults.oracle.dead import read_dead
from tests.faults.oracle.equations import Evidence, Violation, check
from tests.faults.oracle.eventlog import read_log
from tests.faults.oracle.events import Position
from tests.faults.oracle.journal import JUDGING, Journal, Told
from tests.faults.oracle.outcomes import class_of
from tests.faults.oracle.probing import probe, probe_users
from tests.faults.oracle.resolve import quiesce, redeliver, repeat, resolve, sample, sample_refused
from tests.faults.oracle.subscribing import Subscriber

_SHOWN: Final = 10
_CONNECT_SECONDS: Final = 30.0


@dataclass
class Case:
    """A run that is over: its faults are off, its load has stopped.

    Addresses are the servers' own, of logins that may do and see everything. ``since`` is when the run began (seconds
    since 1970); ``quiet`` and ``within`` are seconds, see ``quiesce``; ``repeated``: the part of all keys, and of all
    refused messages, that is asked again, of the latter only while ``refusals_kept``; the rest as in ``Evidence``.
    """

    journal: Journal
    subscriber: Subscriber
    amqp_url: str
    management_url: str
    database_url: str
    partitions: int
    since: float
    expected_dead: frozenset[str] = frozenset()
    dead_again: bool = False
    ordered: bool = True
    refusals_kept: bool = True
    repeated: float = 0.05
    seed: int = 0
    quiet: float = 5.0
    within: float = 120.0


@dataclass(frozen=True)
class Verdict:
    """Attempts of the run by class, before the judge asked anything; and all breaches."""

    attempts: int
    acknowledged: int
    refused: int
    not_accepted: int
    unknown: int
    lost: int
    doubled: int
    order_broken: int
    events_missing: int
    events_out_of_order: int
    violations: list[Violation]
    evidence: Evidence = field(repr=False)

    @property
    def clean(self) -> bool:
        """Whether all ten equations hold."""
        return not self.violations

    @property
    def broken(self) -> set[int]:
        """The equations that do not hold."""
        return {violation.equation for violation in self.violations}

    def __str__(self) -> str:
        shown = self.violations[:_SHOWN]
        lines = [f"({one.equation}) user {one.user or '-'}, key {one.key or '-'}: {one.what}" for one in shown]
        lines += [f"and {len(self.violations) - len(shown)} more"] if len(self.violations) > len(shown) else []
        return "\n".join([f"{len(self.violations)} violations of {self.attempts} attempts", *lines])


async def judge(case: Case) -> Verdict:
    """Judges. Raises ``AssertionError``, ``TimeoutError`` and what the servers raise where it cannot be done."""
    case.journal.phase(JUDGING)
    await case.journal.synced()
    told = journals.read(case.journal.path)
    async with Client(case.amqp_url, case.journal, transport="amqp:judge") as client:
        await client.connected(_CONNECT_SECONDS)
        evidence = await _gather(case, client, told)
    return _verdict(told, evidence)


async def _gather(case: Case, client: Client, told: Told) -> Evidence:
    await quiesce(case.management_url, case.amqp_url, quiet=case.quiet, within=case.within)
    probed = await probe_users(client, case.database_url, sorted(told.users), case.partitions)
    probes = await probe(client, probed, case.within)  # an answer comes behind all that lay in the queue
    quiet = await read_books(case.database_url, told.users)
    if None not in probes.values():  # else nobody is there to ask
        await _ask(case, client)
    waiting = await quiesce(case.management_url, case.amqp_url, quiet=min(case.quiet, 1.0), within=case.within)
    told = await _told(case)
    books = await read_books(case.database_url, told.users, case.since)
    rows: set[Position] = {(row.user, row.sequence) for row in books.rows}
    await case.subscriber.caught_up(rows, case.within)
    return Evidence(
        told=told,
        quiet=quiet,
        books=books,
        seen=list(case.subscriber.events()),
        log=await read_log(case.amqp_url, told.users, rows, case.since),
        dead=await read_dead(case.amqp_url),
        expected_dead=case.expected_dead,
        dead_again=case.dead_again,
        audit=await audit(case.database_url),
        waiting=waiting,
        probes=probes,
        ordered=case.ordered,
    )


async def _ask(case: Case, client: Client) -> None:
    """What is unknown is sent until it is known; that, and a part of all else, is then asked once more.

    So is a part of what was refused, by the same messages: whatever may have come in between, they are refused again.
    """
    unknown = await resolve(client, await _told(case), case.within)
    told = await _told(case)
    chance = Random(case.seed)
    await repeat(client, told, {*unknown, *sample(told, case.repeated, chance)}, case.within)
    if case.refusals_kept:
        await redeliver(client, sample_refused(told, case.repeated, chance), case.within)


async def _told(case: Case) -> Told:
    await case.journal.synced()
    return journals.read(case.journal.path)


async def audit(database_url: str) -> str | None:
    """What ``./mana verify`` runs; what it said where it is not content, else ``None``."""
    child = await asyncio.create_subprocess_exec(
        *python("workers.ledger.audit"),
        cwd=CHECKOUT,
        env=run_environment({"DATABASE_URL": database_url, "COLUMNS": "200"}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    return None if child.returncode == 0 else said.decode(errors="replace")


def _verdict(told: Told, evidence: Evidence) -> Verdict:
    violations = check(evidence)
    classes = Counter(class_of(told.outcomes.get(n, ())) for n in told.attempts)
    breaches = Counter(violation.equation for violation in violations)
    kinds = Counter(violation.kind for violation in violations if violation.equation == 7)
    return Verdict(
        attempts=len(told.attempts),
        acknowledged=classes["acknowledged"],
        refused=classes["refused"],
        not_accepted=classes["not_accepted"],
        unknown=classes["unknown"],
        lost=breaches[1] + breaches[9],
        doubled=breaches[3],
        order_broken=breaches[6],
        events_missing=kinds["missing"],
        events_out_of_order=kinds["out of order"],
        violations=violations,
        evidence=evidence,
    )
