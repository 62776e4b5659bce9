"""Leases and the signs of life, between sessions that could be workers on different machines."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.integration.ledger.owner import Owner, request
from tests.integration.ledger.server import PARTITIONS, Database
from workers.ledger.faults import Broken, ConnectionLost, LeaseLost, NotDurable, TryAgain
from workers.ledger.store.fitness import check_durability
from workers.ledger.store.leases import Lease, Leases
from workers.ledger.store.marks import write_marks
from workers.ledger.store.session import Session


@asynccontextmanager
async def _worker(database: Database, name: str) -> AsyncGenerator[tuple[Session, Leases, str]]:
    session = await Session.open(database.url("mana_worker"), application_name=name)
    leases, own_id = Leases(session), f"{name}-{uuid.uuid4()}"
    await leases.register(own_id, name)
    try:
        yield session, leases, own_id
    finally:
        session.abort()


async def _eventually_takes(leases: Leases, partition: int) -> Lease:
    for _ in range(200):
        for lease in await leases.take([partition]):
            return lease
        await asyncio.sleep(0.02)
    raise AssertionError("the lease is still held")


async def test_a_lease_is_one_sessions_and_its_epoch_rises_with_each_owner(database: Database) -> None:
    async with _worker(database, "a") as (_, first, _), _worker(database, "b") as (_, second, _):
        assert await first.take([3]) == [Lease(3, 1, 0, 0)]
        assert await second.take([3]) == []
        await first.release(3)
        await first.release(3)
        assert await second.take([3, 4]) == [Lease(3, 2, 0, 0), Lease(4, 1, 0, 0)]
        assert await first.take([3, 4, 5]) == [Lease(5, 1, 0, 0)]


async def test_a_lost_session_loses_its_leases(database: Database) -> None:
    async with _worker(database, "a") as (session, first, _), _worker(database, "b") as (_, second, _):
        assert await first.take([3])
        session.abort()
        assert (await _eventually_takes(second, 3)).epoch == 2


async def test_a_session_that_dies_while_it_waits_for_a_row_loses_its_leases(
    database: Database, by_hand: asyncpg.Connection
) -> None:
    """The server looks for its client by itself: this session would wait for longer than anybody here."""
    waits_long = {"lock_timeout": "10min"}
    session = await Session.open(database.url("mana_worker"), application_name="a", settings=waits_long)
    async with _worker(database, "b") as (_, second, _), by_hand.transaction():
        assert await Leases(session).take([3])
        await by_hand.execute("SELECT FROM credits.partitions WHERE partition = 5 FOR UPDATE")
        waiting = asyncio.create_task(session.fetch("UPDATE credits.partitions SET epoch = 9 WHERE partition = 5"))
        while not await by_hand.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.02)
        session.abort()
        assert (await _eventually_takes(second, 3)).epoch == 2
        with pytest.raises(ConnectionLost):
            await waiting


async def test_a_lease_tells_how_far_its_partition_has_come(owner: Owner, database: Database) -> None:
    await owner.open(partition=6)
    await owner.open(partition=6)
    await write_marks(owner.session, owner.epochs, {6: 1})
    await owner.leases.leave()
    async with _worker(database, "b") as (_, second, _):
        assert await second.take([6]) == [Lease(6, 2, 2, 1)]


async def test_leases_that_cannot_be(database: Database) -> None:
    async with _worker(database, "a") as (_, leases, _):
        with pytest.raises(Broken):
            await leases.take([0, PARTITIONS])
        await leases.take([0, 1])
        with pytest.raises(Broken):
            await leases.take([1, 2])
        assert await leases.partitions() == PARTITIONS


async def test_a_lease_whose_epoch_cannot_be_raised_is_nobodys_and_keeps_none_of_the_others(
    database: Database, by_hand: asyncpg.Connection
) -> None:
    """Such as while the last batch of the one before is still being rolled back."""
    async with _worker(database, "a") as (_, first, _), _worker(database, "b") as (_, second, _):
        async with by_hand.transaction():
            await by_hand.execute("SELECT FROM credits.partitions WHERE partition = 3 FOR UPDATE")
            assert await first.take([4, 3, 2]) == [Lease(2, 1, 0, 0), Lease(4, 1, 0, 0)]
        assert await second.take([2, 3, 4]) == [Lease(3, 1, 0, 0)]


async def test_a_lease_whose_epoch_may_not_be_raised_is_nobodys(
    database: Database, by_hand: asyncpg.Connection
) -> None:
    async with _worker(database, "a") as (_, first, _), _worker(database, "b") as (_, second, _):
        await by_hand.execute("REVOKE UPDATE (epoch) ON credits.partitions FROM mana_worker")
        with pytest.raises(Broken):
            await first.take([2, 3])
        await by_hand.execute("GRANT UPDATE (epoch) ON credits.partitions TO mana_worker")
        assert [lease.partition for lease in await second.take([2, 3])] == [2, 3]


async def test_who_lives(database: Database, by_hand: asyncpg.Connection) -> None:
    async with (
        _worker(database, "a") as (_, first, first_id),
        _worker(database, "b") as (session, second, second_id),
        _worker(database, "c") as (_, third, third_id),
    ):
        assert await first.heartbeat() == sorted([first_id, second_id, third_id])
        await by_hand.execute("UPDATE credits.workers SET heartbeat = now() - interval '11 s' WHERE id = $1", third_id)
        assert await first.heartbeat() == sorted([first_id, second_id]), "gives no sign"
        assert await first.living() == sorted([first_id, second_id])
        assert third_id in await third.heartbeat()
        await second.leave()
        assert await first.heartbeat() == sorted([first_id, third_id]), "left"
        await second.register(second_id, "b")
        session.abort()
        for _ in range(200):
            if await first.heartbeat() == sorted([first_id, third_id]):
                return
            await asyncio.sleep(0.02)
    raise AssertionError("a dead worker seems to live")


async def test_one_id_is_one_worker(database: Database) -> None:
    async with _worker(database, "a") as (_, _, own_id):
        session = await Session.open(database.url("mana_worker"), application_name="b")
        with pytest.raises(TryAgain):
            await Leases(session).register(own_id, "b")
        await session.close()


async def test_rows_of_the_dead_do_not_gather(database: Database, by_hand: asyncpg.Connection) -> None:
    await by_hand.execute(
        "INSERT INTO credits.workers"
        " SELECT 'dead-' || n, 'x', now(), now() - interval '61 s' FROM generate_series(1, 9) AS n"
    )
    async with _worker(database, "a") as (_, leases, own_id):
        await by_hand.execute("UPDATE credits.workers SET heartbeat = now() - interval '61 s'")
        async with _worker(database, "b") as (_, _, other_id):
            there = {row["id"] for row in await by_hand.fetch("SELECT id FROM credits.workers")}
            assert there == {own_id, other_id}, "who holds its own lock is not dead"
        await by_hand.execute("DELETE FROM credits.workers")
        assert await leases.heartbeat() == [own_id]


async def test_marks_move_under_the_epoch_and_never_back(owner: Owner, by_hand: asyncpg.Connection) -> None:
    async def mark() -> int:
        return await by_hand.fetchval("SELECT confirmed FROM credits.partitions WHERE partition = 2") or 0

    for _ in range(3):
        await owner.open(partition=2)
    await write_marks(owner.session, owner.epochs, {2: 2})
    assert await mark() == 2
    await write_marks(owner.session, owner.epochs, {2: 1})
    assert await mark() == 2
    await owner.execute(request("credits.balance", str(uuid.uuid4()), partition=7), marks={2: 3})
    assert await mark() == 3
    await owner.execute(request("credits.balance", str(uuid.uuid4()), partition=2), marks={2: 1})
    assert await mark() == 3
    await by_hand.execute("UPDATE credits.partitions SET epoch = epoch + 1, confirmed = 0 WHERE partition = 2")
    with pytest.raises(LeaseLost) as caught:
        await write_marks(owner.session, owner.epochs, {2: 3, 4: 0})
    assert caught.value.partitions == {2}
    assert await mark() == 0


async def test_the_sessions_own_settings(owner: Owner, database: Database, by_hand: asyncpg.Connection) -> None:
    await check_durability(owner.session)
    wanted = {"idle_session_timeout": "10s", "idle_in_transaction_session_timeout": "10s", "enable_seqscan": "off"}
    for name, value in wanted.items():
        assert await owner.session.fetch_value("SELECT current_setting($1)", name) == value


@pytest.mark.parametrize(
    ("breaking", "sentence"),
    [
        ("UPDATE mana.migrations SET number = number - 1000", "run ./mana migrate"),
        ("INSERT INTO mana.migrations VALUES (9999, 'x', 'contract', '')", "too old"),
        ("DROP SCHEMA mana CASCADE", "run the migrations first"),
    ],
)
async def test_a_schema_that_does_not_fit(
    owner: Owner, by_hand: asyncpg.Connection, breaking: str, sentence: str
) -> None:
    await by_hand.execute(breaking)
    with pytest.raises(NotDurable, match=sentence):
        await check_durability(owner.session)


async def test_what_is_not_durable_is_refused(database: Database) -> None:
    session = await Session.open(
        database.url("mana_worker"), application_name="a", settings={"synchronous_commit": "off"}
    )
    with pytest.raises(NotDurable, match="synchronous_commit"):
        await check_durability(session)
    await session.close()
