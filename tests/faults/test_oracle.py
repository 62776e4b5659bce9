"""The oracle on a real ledger: content with it as it is, and not when something is broken by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass

import pytest

from ops.instance import Instance, private
from tests.faults.oracle.client import Client
from tests.faults.oracle.journal import Journal
from tests.faults.oracle.judge import Case, Verdict, judge
from tests.faults.oracle.load import Load
from tests.faults.oracle.population import fresh_users, prepare
from tests.faults.oracle.rest import Rest, rest
from tests.faults.oracle.subscribing import subscribed
from tests.integration.api.process import front, until_ready
from tests.integration.workers.running import PARTITIONS, running

USERS, REST_USERS, CREDITS = 50, 5, 100_000
RATE, SECONDS = 300, 5.0


@dataclass
class Run:
    """A run that is over, and what it was made with."""

    case: Case
    client: Client
    rest: Rest
    users: list[str]
    load: Load
    verdict: Verdict


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
    journal = Journal(folder / "journal", "clean")
    async with (
        running(servers, folder) as worker,
        front(servers, folder, RATE_LIMIT_MAX="1000000") as api,
        subscribed(where.amqp, where.database_as("mana_owner"), folder / "events") as subscriber,
        Client(where.amqp, journal) as client,
        rest(api.url, journal) as http,
    ):
        await worker.ready()
        await until_ready(api)
        users = fresh_users(USERS)
        await prepare(client, users, CREDITS)
        await prepare(client, await http.sign_up(REST_USERS), CREDITS, opened=True)
        async with Load(client, users, rate=RATE, rest=http) as load:
            await asyncio.sleep(SECONDS)
        case = Case(
            journal=journal,
            subscriber=subscriber,
            amqp_url=where.amqp,
            management_url=where.management,
            database_url=where.database_as("mana_owner"),
            partitions=PARTITIONS,
            since=since,
            quiet=1.0,
            within=20.0,
        )
        yield Run(case, client, http, users, load, await judge(case))
    await journal.close()


async def test_a_healthy_ledger_is_found_clean(run: Run) -> None:
    verdict = run.verdict
    assert verdict.clean, str(verdict)
    assert verdict.attempts >= RATE * SECONDS * 0.9
    assert verdict.unknown == 0
    told = verdict.evidence.told
    assert {attempt.transport for attempt in told.attempts.values()} == {"amqp", "rest", "amqp:judge"}
    codes = {outcome.code for outcomes in told.outcomes.values() for outcome in outcomes}
    assert {None, "insufficient_credits", "idempotency_conflict"} <= codes
    assert len(verdict.evidence.seen) >= len(verdict.evidence.books.rows)
