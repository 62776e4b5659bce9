"""Errors of PostgreSQL become faults by what is to be done about them, on a real server."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.ledger.owner import Owner, done, request, use
from tests.integration.ledger.server import Database
from workers.ledger.faults import BatchRejected, Broken, ConnectionLost, Fault, TryAgain, fault_of
from workers.ledger.store.session import Session

MEANINGS: list[tuple[str, type[Fault]]] = [
    ("08000", TryAgain),
    ("08003", ConnectionLost),
    ("08006", ConnectionLost),
    ("0A000", Broken),
    ("22003", BatchRejected),
    ("22P05", BatchRejected),
    ("23505", BatchRejected),
    ("23514", BatchRejected),
    ("25001", TryAgain),
    ("25006", ConnectionLost),
    ("40001", TryAgain),
    ("40P01", TryAgain),
    ("42P01", Broken),
    ("42501", Broken),
    ("53100", TryAgain),
    ("53200", TryAgain),
    ("55P03", TryAgain),
    ("57014", TryAgain),
    ("58030", TryAgain),
    ("P0001", BatchRejected),
    ("XX001", Broken),
]


@pytest.mark.parametrize(("sqlstate", "meaning"), MEANINGS)
async def test_an_error_means(owner: Owner, sqlstate: str, meaning: type[Fault]) -> None:
    with pytest.raises(meaning) as caught:
        await owner.session.fetch(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$")
    assert type(caught.value) is meaning
    assert owner.session.is_closed == (meaning is ConnectionLost)


@pytest.mark.parametrize("sqlstate", ["23505", "40001", "42P01", "57P01"])
def test_without_a_connection_each_is_the_loss_of_it(sqlstate: str) -> None:
    assert type(fault_of(sqlstate, "x", connected=False)) is ConnectionLost


@pytest.mark.parametrize(("sqlstate", "conflict"), [("23505", True), ("23514", False), ("22003", False)])
def test_a_constraint_is_told_from_a_bad_value(sqlstate: str, conflict: bool) -> None:
    fault = fault_of(sqlstate, "x", connected=True)
    assert isinstance(fault, BatchRejected)
    assert fault.conflict == conflict


@pytest.mark.parametrize("sqlstate", ["23505", "40001"])
async def test_after_an_error_inside_a_transaction_the_session_goes_on(owner: Owner, sqlstate: str) -> None:
    with pytest.raises(Fault):
        async with owner.session.transaction() as run:
            await run.fetch(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$")
    done(await owner.use(await owner.open(), 1, "k"))


async def test_an_error_that_was_passed_over_is_no_commit(owner: Owner) -> None:
    async def pass_over() -> None:
        async with owner.session.transaction() as run:
            with pytest.raises(BatchRejected):
                await run.fetch("SELECT 1 / 0")

    with pytest.raises(Broken):
        await pass_over()


async def test_a_terminated_session_is_a_lost_connection(owner: Owner, by_hand: asyncpg.Connection) -> None:
    pid = await owner.session.fetch_value("SELECT pg_backend_pid()")
    await by_hand.execute("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(ConnectionLost):
        await owner.session.fetch_value("SELECT 1")
    assert owner.session.is_closed
    with pytest.raises(ConnectionLost):
        await owner.do(request("credits.balance", "00000000-0000-7000-8000-000000000001"))


async def test_one_bad_command_rejects_its_batch_and_nothing_is_left_of_it(
    owner: Owner, by_hand: asyncpg.Connection
) -> None:
    """A neighbour's fault: the rules' figures and the database's disagree, as no client can bring about."""
    good, bad = await owner.open(), await owner.open()
    await by_hand.execute(
        "UPDATE credits.balances SET balance = 150, free_credits_remaining = 0 WHERE account_id = $1",
        bad,
    )
    with pytest.raises(BatchRejected, match="23514"):
        await owner.do(use(good, 1, "k"), use(bad, 1, "k"))
    with pytest.raises(BatchRejected):
        await owner.do(use(bad, 1, "k"))
    assert done(await owner.use(good, 1, "k")).balance.free_credits_remaining == 149


async def test_a_failure_of_the_rules_rejects_the_batch(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user = await owner.open()
    await by_hand.execute("UPDATE credits.balances SET opening_key = 'lost'")
    with pytest.raises(BatchRejected, match="rules"):
        await owner.do(request("account.open", user, "open"))
    done(await owner.use(user, 1, "k"))


async def test_rows_that_are_gone_reject_the_batch(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user = await owner.open()
    await by_hand.execute("CREATE RULE gone AS ON UPDATE TO credits.lots DO INSTEAD NOTHING")
    with pytest.raises(Fault):
        await owner.use(user, 1, "k")


async def test_what_the_driver_cannot_encode_is_the_commands_fault(owner: Owner) -> None:
    with pytest.raises(BatchRejected):
        await owner.session.fetch("SELECT $1::integer", 2**40)
    await owner.session.fetch_value("SELECT 1")


async def test_no_way_in(database: Database) -> None:
    with pytest.raises(TryAgain):
        await Session.open("postgresql://x@127.0.0.1:9/x", application_name="a")
    with pytest.raises(Broken):
        await Session.open(database.url("mana_worker") + "_not_there", application_name="a")
