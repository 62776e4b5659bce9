"""Purchases in the ledger's own database: credited once, taken back by their facts, among the uses of every day."""

from __future__ import annotations

import random

import asyncpg
import pytest

from contracts.replies import Refused, Reply, encode_reply
from tests.integration.ledger.buying import begin, dispute, failed, paid, refund
from tests.integration.ledger.owner import Owner, done, request, use
from tests.integration.ledger.server import Database
from tests.integration.ledger.test_crashes import Survivor, killing_now_and_then
from workers.ledger.audit.looking import audit
from workers.ledger.faults import BatchRejected, Broken
from workers.ledger.model import Request, Terms

_SEEN = "status, taken, debt, written_off, held"


async def _standing(by_hand: asyncpg.Connection, purchase: str) -> tuple[object, ...]:
    """The purchase's figures, and what is left in its lot."""
    row = await by_hand.fetchrow(
        f"SELECT {_SEEN}, (SELECT remaining FROM credits.lots WHERE lots.id = purchases.id)"
        " FROM credits.purchases WHERE id = $1",
        purchase,
    )
    return tuple(row or ())


async def _sound(database: Database) -> None:
    assert not [finding for finding in await audit(database.url("mana_readonly")) if finding.violations]


def _fields(reply: Reply) -> list[str]:
    assert isinstance(reply, Refused), reply
    assert reply.error.code == "invalid_request"
    return [error["field"] for error in reply.error.details["errors"]]


async def test_a_purchase_from_its_payment_to_its_debts_end(
    owner: Owner, database: Database, by_hand: asyncpg.Connection
) -> None:
    user = await owner.open()
    first, second = await begin(by_hand, user, 500, 500), await begin(by_hand, user, 300, 300)
    bought = done((await owner.do(paid(user, first, 500)))[0])
    assert bought.transaction is not None
    assert (bought.transaction.id, bought.transaction.amount, bought.balance.balance) == (first, 500, 500)
    await owner.use(user, 450, "most")
    replies = await owner.do(dispute(user, first, 500), use(user, 1, "more"), dispute(user, first, 500, "lost"))
    assert [type(reply).__name__ for reply in replies] == ["Done", "Refused", "Done"]
    held, lost = done(replies[0]).transaction, done(replies[2]).transaction
    assert held is not None
    assert lost is not None
    assert (held.amount, lost.amount, held.refers_to, lost.refers_to) == (-200, 0, first, first)
    assert await _standing(by_hand, first) == ("disputed", 500, 300, 0, 0, 0)
    paying = await owner.execute(paid(user, second, 300))
    assert done(paying.replies[0]).balance.balance == 300, "as it was before the debt was paid, and in every replay"
    (events,) = paying.events.values()
    assert [(event.transaction.type, event.transaction.amount) for event in events] == [
        ("purchase", 300),
        ("clawback", -300),
    ]
    assert await _standing(by_hand, first) == ("disputed", 500, 0, 0, 0, 0)
    won = done((await owner.do(dispute(user, first, 500, "won")))[0])
    assert (won.balance.balance, won.balance.total_earned) == (500, 150 + 500 + 300)
    assert await _standing(by_hand, first) == ("completed", 0, 0, 0, 0, 500)
    await _sound(database)


async def test_a_policy_writes_off_what_was_used(database: Database, by_hand: asyncpg.Connection) -> None:
    async with Owner.of(database, Terms(refund_policy="write_off")) as owner:
        user = await owner.open(signupBonus=False)
        purchase = await begin(by_hand, user, 100, 300)
        await owner.do(paid(user, purchase, 300), use(user, 80, "u"), refund(user, purchase, 100))
        assert await _standing(by_hand, purchase) == ("completed", 33, 0, 13, 0, 0)
        await owner.do(refund(user, purchase, 200, name="re_2"))
        assert await _standing(by_hand, purchase) == ("refunded", 100, 0, 80, 0, 0)
    await _sound(database)


async def test_payments_among_uses_and_their_replays(
    owner: Owner, database: Database, by_hand: asyncpg.Connection
) -> None:
    users = [await owner.open() for _ in range(4)]
    batch: list[Request] = []
    for user in users:
        purchase = await begin(by_hand, user, 200, 99)
        batch += [
            use(user, 100, "u1"),
            paid(user, purchase, 99),
            use(user, 100, "u2"),
            refund(user, purchase, 33, "pending"),
            refund(user, purchase, 33),
            dispute(user, purchase, 66),
            use(user, 1, "u3", identity="m"),
            dispute(user, purchase, 66, "won"),
            request("account.freeze", user, "f", reason="x"),
        ]
    first = await owner.do(*batch)
    again = await owner.do(*reversed(batch))
    await owner.do(*batch)
    for one, other in zip(first, reversed(again), strict=True):
        assert encode_reply(one) == encode_reply(other).replace(b'"replayed":true', b'"replayed":false')
    rows = await by_hand.fetch(f"SELECT DISTINCT {_SEEN} FROM credits.purchases")
    assert [tuple(row) for row in rows] == [("completed", 66, 0, 0, 0)]
    assert await by_hand.fetchval("SELECT count(*) FROM credits.transactions WHERE type = 'purchase'") == 4
    await _sound(database)


async def test_other_money_than_the_purchases_own_credits_nothing(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user, other = await owner.open(), await owner.open()
    purchase = await begin(by_hand, user, 500, 500)
    replies = await owner.do(
        paid(user, purchase, 499), paid(other, purchase, 500), paid(user, other, 500), refund(other, purchase, 500)
    )
    assert [_fields(reply) for reply in replies] == [["paid.amount"], ["purchaseId"], ["purchaseId"], ["purchaseId"]]
    await by_hand.execute("UPDATE credits.purchases SET currency = 'usd'")
    assert _fields((await owner.do(paid(user, purchase, 500)))[0]) == ["paid.currency"]
    assert await by_hand.fetchval("SELECT count(*) FROM credits.transactions") == 2, "the openings"
    assert await _standing(by_hand, purchase) == ("pending", 0, 0, 0, 0, None)


async def test_a_purchase_is_paid_once(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user, other = await owner.open(), await owner.open()
    purchase, theirs = await begin(by_hand, user, 500, 500), await begin(by_hand, other, 500, 500)
    replies = await owner.do(
        failed(user, purchase),
        paid(user, purchase, 500, "pi_1"),
        failed(user, purchase),
        paid(user, purchase, 500, "pi_2"),
    )
    assert done(replies[2]).replayed
    assert _fields(replies[3]) == ["paid.paymentIntentId"]
    assert await _standing(by_hand, purchase) == ("completed", 0, 0, 0, 0, 500)
    with pytest.raises(BatchRejected) as caught:
        await owner.do(paid(other, theirs, 500, "pi_1"))
    assert caught.value.conflict, "one payment pays one purchase, whoever's"
    assert await _standing(by_hand, theirs) == ("pending", 0, 0, 0, 0, None)
    assert await by_hand.fetchval("SELECT reason FROM credits.keys WHERE account_id = $1", user) == "card declined"


async def test_who_may_use_nothing_may_be_paid_for_all_the_same(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user = await owner.open()
    purchase = await begin(by_hand, user, 500, 500)
    await owner.do(request("account.freeze", user, "f", reason="x"))
    await by_hand.execute("INSERT INTO credits.suspensions VALUES ($1, 'deleted', now())", user)
    await owner.do(paid(user, purchase, 500), refund(user, purchase, 250))
    assert await _standing(by_hand, purchase) == ("completed", 250, 0, 0, 0, 250)
    told = "SELECT DISTINCT description FROM credits.transactions WHERE type IN ('purchase', 'clawback')"
    assert [row[0] for row in await by_hand.fetch(told)] == ["deleted"], "no words about users who are gone"


async def test_the_session_that_the_front_notes_meanwhile_stays(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user = await owner.open()
    noted, told = await begin(by_hand, user, 5, 5), await begin(by_hand, user, 5, 5)
    await by_hand.execute("UPDATE credits.purchases SET stripe_checkout_session_id = 'cs_front' WHERE id = $1", noted)
    for purchase, session in ((noted, "cs_other"), (told, "cs_told")):
        payment = {"amount": 5, "currency": "eur", "paymentIntentId": session, "checkoutSessionId": session}
        asked = request("credits.purchase", user, f"stripe:purchase:{session}", purchaseId=purchase, paid=payment)
        done((await owner.do(asked))[0])
    sessions = await by_hand.fetch("SELECT stripe_checkout_session_id FROM credits.purchases ORDER BY created_at")
    assert [row[0] for row in sessions] == ["cs_front", "cs_told"]


async def test_batches_without_payments_do_not_look_at_purchases(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user = await owner.open()
    purchase = await begin(by_hand, user, 500, 500)
    await by_hand.execute("REVOKE ALL ON credits.purchases FROM mana_worker")
    done(await owner.use(user, 1, "k"))
    with pytest.raises(Broken):
        await owner.do(paid(user, purchase, 500))


async def test_facts_in_any_order_while_connections_die(database: Database, by_hand: asyncpg.Connection) -> None:
    """Each user's purchase has the same facts, each told up to three times, by a worker whose connection is ended."""
    survivor, chance = Survivor(database.url("mana_worker")), random.Random(7)
    async with Owner.of(database) as owner:
        users = [await owner.open() for _ in range(40)]
        purchases = {user: await begin(by_hand, user, 101, 1000) for user in users}
        await owner.do(*(use(user, 150, "free") for user in users))
    waiting: list[Request] = []
    for user, purchase in purchases.items():
        facts = [
            paid(user, purchase, 1000),
            refund(user, purchase, 100, "pending"),
            refund(user, purchase, 100),
            refund(user, purchase, 400, name="re_2"),
            refund(user, purchase, 400, "failed", name="re_2"),
            dispute(user, purchase, 300),
            dispute(user, purchase, 300, "lost"),
            dispute(user, purchase, 50, name="dp_2"),
            dispute(user, purchase, 50, "won", name="dp_2"),
        ]
        waiting += [fact for fact in facts for _ in range(chance.randint(1, 3))]
    chance.shuffle(waiting)
    async with killing_now_and_then(survivor, by_hand):
        for start in range(0, len(waiting), 8):
            await survivor.execute(waiting[start : start + 8])
    await survivor.close()
    assert survivor.losses > 0
    seen = await by_hand.fetch(
        f"SELECT DISTINCT {_SEEN}, remaining FROM credits.purchases JOIN credits.lots USING (account_id, id)"
    )
    assert [tuple(row) for row in seen] == [("disputed", 40, 0, 0, 0, 61)]
    assert await by_hand.fetchval("SELECT count(*) FROM credits.transactions WHERE type = 'purchase'") == len(users)
    await _sound(database)
