"""Nobody writes behind the fence, and an outcome that nobody knows is found again by its key."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from tests.integration.ledger.line import Fault, Line
from tests.integration.ledger.owner import Owner, done, fresh_ids, fresh_user, request, use
from tests.integration.ledger.server import Database
from workers.ledger.execute import Executor
from workers.ledger.faults import ConnectionLost, LeaseLost
from workers.ledger.model import Request, Terms
from workers.ledger.store.leases import Leases
from workers.ledger.store.session import Session


async def _written(by_hand: asyncpg.Connection) -> int:
    return await by_hand.fetchval("SELECT count(*) FROM credits.transactions") or 0


def _open(partition: int, user: str | None = None) -> Request:
    return request("account.open", user or fresh_user(), "open", partition=partition)


async def test_another_epoch_stops_the_whole_batch_and_names_the_partition(
    owner: Owner, by_hand: asyncpg.Connection
) -> None:
    await by_hand.execute("UPDATE credits.partitions SET epoch = epoch + 1 WHERE partition IN (3, 5)")
    with pytest.raises(LeaseLost) as caught:
        await owner.execute(_open(2), _open(3), _open(5), _open(3))
    assert caught.value.partitions == {3, 5}
    assert await _written(by_hand) == 0
    await owner.execute(_open(2))
    assert await _written(by_hand) == 1


async def test_a_partition_without_lease_is_not_even_asked_for(owner: Owner, by_hand: asyncpg.Connection) -> None:
    del owner.epochs[4]
    with pytest.raises(LeaseLost) as caught:
        await owner.execute(_open(4))
    assert caught.value.partitions == {4}
    assert await _written(by_hand) == 0


async def test_refusals_and_replays_meet_the_fence_too(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user = fresh_user()
    await owner.do(_open(1, user))
    await by_hand.execute("UPDATE credits.partitions SET epoch = epoch + 1")
    for asked in (_open(1, user), use(user, 1000, "k", partition=1), request("credits.balance", user, partition=1)):
        with pytest.raises(LeaseLost):
            await owner.execute(asked)
    assert await by_hand.fetchval("SELECT count(*) FROM credits.refusals") == 0


async def test_who_takes_over_waits_for_the_batch_that_is_being_committed(
    owner: Owner, by_hand: asyncpg.Connection
) -> None:
    """Whoever comes first is whole, and the other one sees it."""
    async with owner.session.transaction() as run:
        await run.fetch("SELECT FROM credits.partitions WHERE partition = 1 FOR UPDATE")
        raising = asyncio.create_task(by_hand.execute("UPDATE credits.partitions SET epoch = epoch + 1"))
        await asyncio.sleep(0.1)
        assert not raising.done()
    await raising
    with pytest.raises(LeaseLost):
        await owner.execute(_open(1))


async def _owner_on(line: Line, answer_within_s: float = 5.0) -> tuple[Session, Executor, dict[int, int]]:
    session = await Session.open(line.url, application_name="test", answer_within_s=answer_within_s)
    (lease,) = await Leases(session).take([0])
    return session, Executor(session, Terms(), fresh_ids()), {0: lease.epoch}


@pytest.mark.parametrize(("fault", "happened"), [("cut before", False), ("cut after", True)])
async def test_a_commit_without_answer_is_found_again_by_its_key(
    database: Database, by_hand: asyncpg.Connection, fault: Fault, happened: bool
) -> None:
    asked = _open(0)
    async with Line.to(database.url("mana_worker")) as line:
        session, executor, epochs = await _owner_on(line)
        line.fault = fault
        with pytest.raises(ConnectionLost):
            await executor.execute([asked], epochs, {})
        assert session.is_closed
        line.fault = "none"
        await _until_free(by_hand)
        assert await _written(by_hand) == happened
        session, executor, epochs = await _owner_on(line)
        committed = await executor.execute([asked], epochs, {})
        assert done(committed.replies[0]).replayed == happened
        assert await _written(by_hand) == 1
        await session.close()


async def test_a_silent_server_is_a_lost_one(database: Database) -> None:
    async with Line.to(database.url("mana_worker")) as line:
        session, executor, epochs = await _owner_on(line, answer_within_s=3.0)
        line.fault = "silent"
        with pytest.raises(ConnectionLost):
            await executor.execute([_open(0)], epochs, {})
        assert session.is_closed
        with pytest.raises(ConnectionLost):
            await session.fetch_value("SELECT 1")


async def test_a_batch_that_is_cancelled_drops_its_connection(owner: Owner, by_hand: asyncpg.Connection) -> None:
    async with by_hand.transaction():
        await by_hand.execute("SELECT FROM credits.partitions FOR UPDATE")
        batch = asyncio.create_task(owner.execute(_open(0)))
        await asyncio.sleep(0.1)
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch
    assert owner.session.is_closed
    await _until_free(by_hand)
    assert await _written(by_hand) == 0


async def _until_free(by_hand: asyncpg.Connection) -> None:
    """Until the server has noticed the end of the session that held the leases."""
    for _ in range(200):
        if not await by_hand.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = ("
            "SELECT oid FROM pg_database WHERE datname = current_database())"
        ):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the leases of a lost connection are still held")
