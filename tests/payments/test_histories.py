"""A purchase's events, in any order, each one to three times, with workers killed between: one end, the model's."""

from __future__ import annotations

import asyncio

import pytest

from tests.payments.judging import judge
from tests.payments.playing import Play, Played
from tests.payments.stage import Stage

pytestmark = pytest.mark.timeout(300)

_AGAIN = """
INSERT INTO credits.transactions
SELECT (jsonb_populate_record(once, jsonb_build_object(
    'id', gen_random_uuid(), 'idempotency_key', 'again', 'sequence', 1000000, 'position', 1000000))).*
FROM credits.transactions AS once WHERE type = 'purchase' LIMIT 1
"""
SPOILT = {
    "a lost event": ("DELETE FROM credits.stripe_events WHERE id = (SELECT min(id) FROM told)", "is not kept"),
    "an event that is not done": (
        "UPDATE credits.stripe_events SET done_at = NULL, outcome = NULL WHERE id = (SELECT min(id) FROM told)",
        "is not done",
    ),
    "a double credit": (_AGAIN, "was credited 1 times, and not 0"),
    "a payment that is forgotten": ("DELETE FROM credits.transactions WHERE type = 'purchase'", "was credited 0 times"),
    "another debt": ("UPDATE credits.purchases SET debt = debt - 1 WHERE debt > 0", "written off)"),
    "a dispute that holds nothing": (
        "UPDATE credits.purchases SET held = 0 WHERE held > 0",
        "written off)",
    ),
    "another balance": ("UPDATE credits.balances SET balance = balance + 1", "and not {'balance'"),
    "another lot": ("UPDATE credits.lots SET remaining = remaining - 1 WHERE remaining > 0", "(kind, granted, left)"),
}


@pytest.fixture(scope="module")
async def played(stage: Stage) -> Played:
    async def kill_both() -> None:
        await asyncio.gather(stage.kill_payments(), stage.kill_ledger())

    return await Play(stage, seed=1, hurried=True).histories(40, {2: [(0.4, kill_both)]})


async def test_every_history_ends_as_the_model_says(played: Played) -> None:
    assert not played.complaints, str(played)
    assert played.killed == {"payments worker": 1, "ledger worker": 1}
    statuses = {purchase[0] for end in played.ends.values() for purchase in end.purchases.values()}
    assert statuses == {"pending", "failed", "completed", "refunded", "disputed"}
    assert any(purchase[3] for end in played.ends.values() for purchase in end.purchases.values()), "nobody owes"


@pytest.mark.parametrize("case", SPOILT)
async def test_the_judge_names_what_was_spoilt(stage: Stage, played: Played, case: str) -> None:
    (statement, complaint), told = SPOILT[case], list(played.told.events)
    async with stage.database.session() as session:
        transaction = session.transaction()
        await transaction.start()
        await session.execute("SET LOCAL session_replication_role = replica")
        await session.execute("CREATE TEMPORARY TABLE told (id) ON COMMIT DROP AS SELECT unnest($1::text[])", told)
        await session.execute(statement)
        complaints = await judge(session, played.ends, told)
        await transaction.rollback()
        assert any(complaint in one for one in complaints), complaints
        assert await judge(session, played.ends, told) == []
