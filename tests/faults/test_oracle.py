"""The oracle on a real ledger: content with it as it is, and not when something is broken by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from ops.instance import Instance, private
from tests.e2e import client as hostile
from tests.faults.oracle import journal
from tests.faults.oracle.client import Client
from tests.faults.oracle.dead import body_name
from tests.faults.oracle.events import positions
from tests.faults.oracle.journal import Journal
from tests.faults.oracle.judge import Case, Verdict, judge
from tests.faults.oracle.load import Load
from tests.faults.oracle.population import fresh_users, prepare
from tests.faults.oracle.rest import rest
from tests.faults.oracle.subscribing import subscribed
from tests.faults.tools.telling import until
from tests.integration.api.process import front, until_ready
from tests.integration.workers.running import PARTITIONS, Running, running

USERS, POOR_USERS, REST_USERS, CREDITS = 50, 10, 5, 100_000
RATE, SECONDS = 300, 5.0
UNANSWERED_SECONDS = 10.0
"""There is nobody to answer: long enough for all to be sent."""
DOUBLE = """
INSERT INTO credits.transactions
SELECT (jsonb_populate_record(t, jsonb_build_object(
    'id', gen_random_uuid(), 'sequence', 1000000, 'position', 1000000
))).*
FROM credits.transactions AS t WHERE id = $1::text::uuid
"""


@dataclass
class Run:
    """A run that is over, what it was made with, and what the judge said of it."""

    servers: Instance
    folder: Path
    worker: Running
    client: Client
    users: list[str]
    case: Case
    verdict: Verdict

    async def judged(self) -> Verdict:
        """Once more; briefly, since what is missing by now will not come."""
        return await judge(replace(self.case, repeated=0.0, quiet=0.5, within=3.0))


@pytest.fixture(scope="module")
def servers() -> Generator[Instance]:
    """Servers of this module's own: it breaks what lies in them."""
    with private(workers=0, partitions=PARTITIONS, with_processes=False, name="oracle-tests") as instance:
        yield instance


@pytest.fixture(scope="module")
async def run(servers: Instance, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Run]:
    """The whole mix for a few seconds, judged."""
    folder = tmp_path_factory.mktemp("oracle")
    where, since = servers.addresses, time.time()
    written = Journal(folder / "journal", "clean")
    async with (
        running(servers, folder) as worker,
        front(servers, folder, RATE_LIMIT_MAX="1000000") as api,
        subscribed(where.amqp, where.database_as("mana_owner"), folder / "events") as subscriber,
        Client(where.amqp, written) as client,
        rest(api.url, written) as http,
    ):
        await worker.ready()
        await until_ready(api)
        users, poor = fresh_users(USERS), fresh_users(POOR_USERS)
        await prepare(client, users, CREDITS)
        await prepare(client, poor, 1)
        await prepare(client, await http.sign_up(REST_USERS), CREDITS, opened=True)
        async with Load(client, users, rate=RATE, rest=http, poor=poor) as load:
            await asyncio.sleep(SECONDS)
        assert load.asked_again, "no refused message was sent again"
        case = Case(
            journal=written,
            subscriber=subscriber,
            amqp_url=where.amqp,
            management_url=where.management,
            database_url=where.database_as("mana_owner"),
            partitions=PARTITIONS,
            since=since,
            quiet=1.0,
            within=20.0,
        )
        yield Run(servers, folder, worker, client, users, case, await judge(case))
    await written.close()


@pytest.fixture
async def by_hand(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The database as a superuser: nothing is forbidden."""
    connection = await asyncpg.connect(servers.addresses.database)
    yield connection
    await connection.close()


async def test_a_healthy_ledger_is_found_clean(run: Run) -> None:
    verdict = run.verdict
    assert verdict.clean, str(verdict)
    assert verdict.attempts >= RATE * SECONDS * 0.9
    evidence = verdict.evidence
    assert {attempt.transport for attempt in evidence.told.attempts.values()} == {"amqp", "rest", "amqp:judge"}
    codes = {outcome.code for outcomes in evidence.told.outcomes.values() for outcome in outcomes}
    assert {None, "insufficient_credits", "idempotency_conflict"} <= codes
    rows = {(row.user, row.sequence) for row in evidence.books.rows}
    assert positions(evidence.seen) == rows == positions(evidence.log)
    assert len(rows) > USERS


@pytest.mark.slow
async def test_what_is_dead_must_have_been_expected(run: Run) -> None:
    user = run.users[0]
    async with hostile.Client.connected(run.case.amqp_url) as client:
        answer = await client.send(b"no JSON", user, type="credits.use", message_id="poison")
    assert answer["error"]["code"] == "invalid_request"
    for name in ("poison", body_name(b"no JSON")):
        verdict = await judge(replace(run.case, repeated=0.0, quiet=0.5, expected_dead=frozenset({name})))
        assert verdict.clean, str(verdict)
    (violation,) = (await run.judged()).violations
    assert (violation.equation, "poison" in violation.what) == (9, True)
    await _purge(run, "credits.dead")


@pytest.mark.slow
async def test_a_deleted_row_is_named(run: Run, by_hand: asyncpg.Connection) -> None:
    user = run.users[1]
    outcome = await run.client.send("use", user, "to be deleted", amount=2)
    assert outcome.cls == "acknowledged"
    await by_hand.execute("DELETE FROM credits.transactions WHERE id = $1::text::uuid", outcome.transaction_id)
    verdict = await run.judged()
    assert (1, user, "to be deleted") in _named(verdict)
    assert {1, 7, 8} <= verdict.broken
    assert verdict.lost == 1


async def test_a_purged_queue_is_named(run: Run) -> None:
    """What was purged is sent again, and done, by the judge: so nothing is missing, and yet it must be told."""
    run.worker.child.terminate()
    assert await run.worker.child.wait() == 0
    user, keys = run.users[2], [f"purged-{number}" for number in range(5)]
    outcomes = await asyncio.gather(
        *(run.client.send("use", user, key, amount=1, deadline=UNANSWERED_SECONDS) for key in keys)
    )
    assert {outcome.cls for outcome in outcomes} == {"unknown"}
    await until(lambda: _confirmed(run, keys), "the broker has confirmed all of them", 30)
    assert await _waiting(run) == len(keys)
    for partition in range(PARTITIONS):
        await _purge(run, f"credits.commands.{partition}")
    async with running(run.servers, run.folder) as worker:
        await worker.ready()
        verdict = await run.judged()
    assert {(9, user, key) for key in keys} <= _named(verdict)
    assert {(1, user, key) for key in keys}.isdisjoint(_named(verdict))


@pytest.mark.slow
async def test_a_doubled_row_is_named(run: Run, by_hand: asyncpg.Connection) -> None:
    user = run.users[3]
    async with running(run.servers, run.folder) as worker:
        await worker.ready()
        outcome = await run.client.send("use", user, "to be doubled", amount=2)
        assert outcome.cls == "acknowledged"
        await by_hand.execute("ALTER TABLE credits.transactions DROP CONSTRAINT transactions_one_per_key")
        await by_hand.execute(DOUBLE, outcome.transaction_id)
        verdict = await run.judged()
    assert (3, user, "to be doubled") in _named(verdict)
    assert verdict.doubled >= 1


def _named(verdict: Verdict) -> set[tuple[int, str, str]]:
    return {(violation.equation, violation.user, violation.key) for violation in verdict.violations}


async def _confirmed(run: Run, keys: list[str]) -> bool:
    await run.case.journal.synced()
    told = journal.read(run.case.journal.path)
    sent = {n for n, attempt in told.attempts.items() if attempt.key in keys}
    return len(sent & told.confirmed) == len(keys)


async def _waiting(run: Run) -> int:
    async with await aio_pika.connect(run.case.amqp_url) as connection:
        channel = await connection.channel()
        queues = [await channel.declare_queue(f"credits.commands.{n}", passive=True) for n in range(PARTITIONS)]
        return sum(queue.declaration_result.message_count or 0 for queue in queues)


async def _purge(run: Run, queue: str) -> None:
    async with await aio_pika.connect(run.case.amqp_url) as connection:
        channel = await connection.channel()
        await (await channel.get_queue(queue, ensure=False)).purge()
