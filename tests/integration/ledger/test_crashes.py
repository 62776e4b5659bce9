"""Workers side by side, and a worker whose connection dies again and again: each key once, each answer the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from contracts.replies import Done
from tests.integration.ledger.owner import Owner, fresh_ids, fresh_user, request, use
from tests.integration.ledger.server import PARTITIONS, Database
from workers.ledger.audit.looking import audit
from workers.ledger.execute import Committed, Executor
from workers.ledger.faults import ConnectionLost, TryAgain
from workers.ledger.model import Request, Terms
from workers.ledger.store.leases import Leases
from workers.ledger.store.session import Session

BATCHES = 150
KILLS_EVERY_S = (0.05, 0.15)


class Survivor:
    """Executes batches until they are known to be committed: whatever happens, the same batch again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: Session | None = None
        self._executor: Executor | None = None
        self._epochs: dict[int, int] = {}
        self.losses = 0
        self.committed = 0

    async def execute(self, requests: list[Request]) -> Committed:
        while True:
            try:
                executor = self._executor or await self._begin()
                committed = await executor.execute(requests, self._epochs, {})
            except (ConnectionLost, TryAgain) as fault:
                if isinstance(fault, ConnectionLost):
                    self.losses += 1
                    self._executor = None
            else:
                self.committed += 1
                return committed

    async def close(self) -> None:
        if self._session is not None:
            self._session.abort()

    async def _begin(self) -> Executor:
        await self.close()
        self._session = await Session.open(self._url, application_name="survivor")
        leases = Leases(self._session)
        self._epochs = {}
        while len(self._epochs) < PARTITIONS:
            for lease in await leases.take(set(range(PARTITIONS)) - set(self._epochs)):
                self._epochs[lease.partition] = lease.epoch
        self._executor = Executor(self._session, Terms(), fresh_ids())
        return self._executor


async def _kill_now_and_then(survivor: Survivor, by_hand: asyncpg.Connection) -> None:
    """Later and later where nothing is committed in between: a slow machine must come to an end, too."""
    before, slowness = survivor.committed, 1
    while True:
        await asyncio.sleep(random.uniform(*KILLS_EVERY_S) * slowness)
        slowness = 1 if survivor.committed > before else slowness * 2
        before = survivor.committed
        await by_hand.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'survivor'"
            " AND datname = current_database()"
        )


@asynccontextmanager
async def killing_now_and_then(survivor: Survivor, by_hand: asyncpg.Connection) -> AsyncGenerator[None]:
    """Meanwhile the survivor's connections are ended again and again."""
    killing = asyncio.create_task(_kill_now_and_then(survivor, by_hand))
    try:
        yield
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)


async def test_a_connection_that_dies_again_and_again(database: Database, by_hand: asyncpg.Connection) -> None:
    survivor = Survivor(database.url("mana_worker"))
    users = [fresh_user() for _ in range(60)]
    opened = await survivor.execute([request("account.open", user, "open") for user in users])
    assert all(isinstance(reply, Done) for reply in opened.replies)
    batches = [[use(random.choice(users), 1, f"{n}-{m}") for m in range(20)] for n in range(BATCHES)]
    async with killing_now_and_then(survivor, by_hand):
        answers = [await survivor.execute(batch) for batch in batches]
    again = [await survivor.execute(batch) for batch in batches]
    await survivor.close()
    assert survivor.losses > 0
    for first, second in zip(answers, again, strict=True):
        for one, other in zip(first.replies, second.replies, strict=True):
            assert isinstance(one, Done)
            assert isinstance(other, Done)
            assert (one.transaction, one.balance, True) == (other.transaction, other.balance, other.replayed)
    assert await by_hand.fetchval("SELECT count(*) FROM credits.transactions WHERE type = 'usage'") == BATCHES * 20
    assert not [finding for finding in await audit(database.url("mana_readonly")) if finding.violations]


async def test_workers_with_halves_of_the_partitions_do_not_meet(database: Database) -> None:
    async with Owner.of(database) as first:
        for partition in range(1, PARTITIONS, 2):
            await first.leases.release(partition)
            del first.epochs[partition]
        second = await Session.open(database.url("mana_worker"), application_name="second")
        leases = Leases(second)
        taken = await leases.take(range(1, PARTITIONS, 2))
        epochs = {lease.partition: lease.epoch for lease in taken}
        assert len(epochs) == PARTITIONS // 2
        other = Executor(second, Terms(), fresh_ids())

        async def work(executor: Executor, own: dict[int, int]) -> None:
            for _ in range(15):
                partitions = random.sample(sorted(own), k=len(own))
                await executor.execute(
                    [request("account.open", fresh_user(), "o", partition=partition) for partition in partitions],
                    own,
                    {},
                )

        await asyncio.gather(work(first.executor, first.epochs), work(other, epochs))
        second.abort()
    findings = await audit(database.url("mana_readonly"))
    assert not [finding for finding in findings if finding.violations]
    assert findings[0].checked == 15 * PARTITIONS
