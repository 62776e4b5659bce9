"""What time brings, by the database's clock: expiry, the day's credits, refunds of what has expired since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg

from tests.integration.ledger.clock import set_clock
from tests.integration.ledger.owner import Owner, done, free_credits, partition_of, refused, request, use

NOON = datetime(2028, 2, 28, 12, tzinfo=UTC)


async def _granted_for_three_hours(timeless: Owner, amount: int) -> str:
    """An account that opens at noon, with a promotion besides the signup bonus."""
    await set_clock(timeless.session, NOON)
    user = await timeless.open()
    ends = (NOON + timedelta(hours=3)).isoformat()
    await timeless.do(
        request("credits.grant", user, "g", amount=amount, description="x", source="promotion", expiresAt=ends)
    )
    return user


async def test_a_refund_goes_to_its_lots_and_for_an_expired_one_to_a_new_lot(
    timeless: Owner, by_hand: asyncpg.Connection
) -> None:
    user = await _granted_for_three_hours(timeless, 10)
    await set_clock(timeless.session, NOON + timedelta(hours=1))
    used = done(await timeless.use(user, 8, "k1", metadata={"then": "2 hours left"}))
    more = done(await timeless.use(user, 22, "k2"))
    assert used.transaction is not None
    assert more.transaction is not None
    await set_clock(timeless.session, NOON + timedelta(hours=5))
    replies = await timeless.do(
        request("credits.refund", user, "r1", transactionId=more.transaction.id, amount=21),
        request("credits.refund", user, "r2", transactionId=used.transaction.id),
        request("credits.refund", user, "r3", transactionId=more.transaction.id, amount=2),
        request("credits.refund", user, "r4", transactionId=more.transaction.id, amount=1),
    )
    assert refused(replies[2]) == "invalid_request"
    assert done(replies[3]).balance.free_credits_remaining == 160
    lots = await by_hand.fetch("SELECT kind, granted, remaining, expires_at FROM credits.lots ORDER BY created_at, id")
    later = NOON + timedelta(hours=7)
    assert [tuple(lot) for lot in lots] == [
        ("signup", 150, 150, None),
        ("promotion", 10, 0, NOON + timedelta(hours=3)),
        ("promotion", 1, 1, later),
        ("promotion", 8, 8, later),
        ("promotion", 1, 1, later),
    ]


async def test_what_has_expired_is_posted_before_the_command_that_meets_it(timeless: Owner) -> None:
    user = await _granted_for_three_hours(timeless, 9)
    await set_clock(timeless.session, NOON + timedelta(hours=3))
    committed = await timeless.execute(use(user, 151, "k1"))
    assert refused(committed.replies[0]) == "insufficient_credits"
    assert [row.transaction.type for row in committed.events[partition_of(user)]] == ["expiry"]


async def test_the_day_brings_its_credits_once(timeless: Owner) -> None:
    await set_clock(timeless.session, NOON)
    user = await timeless.open()
    balance = request("credits.balance", user)
    assert [free_credits(reply) for reply in await timeless.do(balance)] == [150]
    await set_clock(timeless.session, NOON + timedelta(days=2))
    assert [free_credits(reply) for reply in await timeless.do(balance, balance)] == [155, 155]
    assert [free_credits(reply) for reply in await timeless.do(balance)] == [155]
