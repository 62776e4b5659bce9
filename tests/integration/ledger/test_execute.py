"""A batch is one transaction: what it writes, what it answers, and what it answers again."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import asyncpg
import msgspec
import pytest

from contracts.errors import Error
from contracts.permissions import Actor
from contracts.replies import BalanceRead, Refused, encode_reply
from tests.integration.ledger.owner import Owner, done, fresh_user, partition_of, refused, request, use
from tests.integration.ledger.server import Database
from workers.ledger.audit.looking import audit
from workers.ledger.model import Request
from workers.ledger.store.journal import Journal

ODD_METADATA = '{"b":1.50,"a":[1e3,"\\u00e9é\\ud83d\\ude00"],"b":null,"n":12345678901234567890}'
"""Doubled names, long numbers, escapes: what a parser that reads and writes again would change."""


async def test_a_use_takes_credits_and_leaves_its_rows(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user = await owner.open()
    reply = done(await owner.use(user, 3, "k1"))
    assert reply.transaction is not None
    assert (reply.transaction.amount, reply.transaction.balance_after, reply.transaction.sequence) == (-3, 147, 2)
    posting = await by_hand.fetchrow("SELECT * FROM credits.postings ORDER BY position DESC LIMIT 1")
    assert posting is not None
    assert (posting["source"], posting["destination"], posting["amount"]) == (user, "system:revenue", 3)


async def test_a_batch_of_all_kinds_keeps_every_invariant(
    owner: Owner, database: Database, by_hand: asyncpg.Connection
) -> None:
    user, other = await owner.open(), fresh_user()
    used = done(await owner.use(user, 20, "used"))
    assert used.transaction is not None
    replies = await owner.do(
        request("account.open", other, "o", signupBonus=False),
        use(user, 5, "k1"),
        request("credits.refund", user, "k2", transactionId=used.transaction.id, amount=7),
        request("credits.grant", user, "k3", amount=10, description="x", source="promotion"),
        request("credits.adjust", user, "k4", amount=-1, description="x", reason="why"),
        request("credits.adjust", other, "k5", amount=8, description="x", reason="why"),
        request("account.freeze", other, "k6", reason="why"),
        use(other, 1, "k7"),
        request("credits.balance", user),
    )
    assert [type(reply).__name__ for reply in replies] == ["Done"] * 7 + ["Refused", "BalanceRead"]
    last = replies[-1]
    assert isinstance(last, BalanceRead)
    assert last.balance.free_credits_remaining == 150 - 20 - 5 + 7 + 10 - 1
    assert await by_hand.fetchval("SELECT reason FROM credits.keys WHERE idempotency_key = 'k6'") == "why"
    assert not [finding for finding in await audit(database.url("mana_readonly")) if finding.violations]


async def test_replays_are_the_same_to_the_byte(owner: Owner) -> None:
    user = await owner.open()
    plain = use(user, 3, "k1", description='Zeile\n"ü" 😀')
    odd = msgspec.structs.replace(plain.command, metadata=msgspec.Raw(ODD_METADATA.encode()))
    asked = msgspec.structs.replace(plain, command=odd)
    answer = done((await owner.do(asked))[0])
    await owner.use(user, 10, "later")
    again = done((await owner.do(asked))[0])
    assert again.replayed
    assert encode_reply(again) == encode_reply(answer).replace(b'"replayed":false', b'"replayed":true')
    assert again.transaction is not None
    kept = bytes(again.transaction.metadata)
    assert kept.startswith(b'{"b":1.50,"a":[1e3,')
    assert kept.endswith(b',"b":null,"n":12345678901234567890}')


@pytest.mark.checklist(65)
async def test_every_later_opening_answers_the_first(owner: Owner) -> None:
    user = await owner.open()
    bare = fresh_user()
    await owner.do(request("account.open", bare, "o1", signupBonus=False))
    replies = await owner.do(request("account.open", user, "o2"), request("account.open", bare, "o2"))
    assert [done(reply).replayed for reply in replies] == [True, True]
    assert [done(reply).transaction is None for reply in replies] == [False, True]


_EXCESS = Error("overloaded", "too many", {"retryAfterSeconds": 1})


def _in_excess(asked: Request) -> Request:
    return msgspec.structs.replace(asked, excess=_EXCESS)


@pytest.mark.parametrize("identity", ["m1", ""])
async def test_what_was_too_much_stays_refused_when_it_is_delivered_again(owner: Owner, identity: str) -> None:
    user = await owner.open()
    asked = use(user, 1, "k1", identity=identity)
    assert await owner.do(_in_excess(asked)) == [Refused(_EXCESS)]
    again = msgspec.structs.replace(asked, redelivered=True)
    assert await owner.do(again) == [Refused(_EXCESS)]
    assert done((await owner.do(use(user, 1, "k1", identity="m2")))[0]).transaction is not None


@pytest.mark.parametrize("identity", ["m1", ""])
async def test_what_was_charged_is_never_answered_as_too_much(owner: Owner, identity: str) -> None:
    user = await owner.open()
    asked = use(user, 3, "k1", identity=identity)
    charge = done((await owner.do(asked))[0]).transaction
    assert charge is not None
    for again in (_in_excess(asked), asked, msgspec.structs.replace(asked, redelivered=True)):
        reply = done((await owner.do(again))[0])
        assert (reply.transaction, reply.replayed) == (charge, True)


async def test_a_charge_overrules_what_was_too_much_before(owner: Owner) -> None:
    """Only the refusal of a command that is not the one that was charged stands."""
    user = await owner.open()
    early, other = use(user, 3, "k1", identity="m1"), use(user, 4, "k1", identity="m3")
    assert await owner.do(_in_excess(early), _in_excess(other)) == [Refused(_EXCESS)] * 2
    charge = done((await owner.do(use(user, 3, "k1", identity="m2")))[0]).transaction
    for again in (early, _in_excess(early), msgspec.structs.replace(early, redelivered=True)):
        assert done((await owner.do(again))[0]).transaction == charge
    assert await owner.do(other) == [Refused(_EXCESS)]


async def test_an_account_that_is_open_is_told_so_beyond_the_limit(owner: Owner) -> None:
    user = await owner.open()
    opening = request("account.open", user, "open", identity="m1")
    assert done((await owner.do(_in_excess(opening)))[0]).replayed
    beside = [use(user, 1, "k1"), _in_excess(request("account.open", user, "another"))]
    assert done((await owner.do(*beside))[1]).replayed


async def test_what_is_too_much_waits_for_no_account(owner: Owner, by_hand: asyncpg.Connection) -> None:
    """Nor does a repeat of what was done. A read is refused without leaving anything."""
    user, other = await owner.open(), fresh_user()
    await owner.use(user, 1, "k0")
    async with by_hand.transaction():
        await by_hand.execute("SELECT FROM credits.balances WHERE account_id = $1 FOR UPDATE", uuid.UUID(user))
        many = [use(user, 1, "k1"), use(other, 1, "k2"), request("credits.balance", user)]
        *replies, repeat = await asyncio.wait_for(owner.do(*map(_in_excess, [*many, use(user, 1, "k0")])), 3)
    assert replies == [Refused(_EXCESS)] * 3
    assert done(repeat).replayed
    assert await by_hand.fetchval("SELECT count(*) FROM credits.refusals WHERE code = 'overloaded'") == 2


async def test_among_others_only_what_is_too_much_is_refused(owner: Owner) -> None:
    user = await owner.open()
    replies = await owner.do(use(user, 1, "k1"), _in_excess(use(user, 1, "k2")), use(user, 2, "k3"))
    assert [type(reply).__name__ for reply in replies] == ["Done", "Refused", "Done"]
    assert done(replies[2]).balance.total_spent == 3


async def test_a_refusal_stays_for_the_same_message_only(owner: Owner) -> None:
    user = await owner.open()
    asked = use(user, 200, "k1", identity="m1")
    first = (await owner.do(asked))[0]
    await owner.do(request("credits.grant", user, "g", amount=100, description="x", source="bonus"))
    assert (await owner.do(asked))[0] == first
    assert isinstance(first, Refused)
    assert first.error.details == {"available": 150, "required": 200}
    assert done((await owner.do(use(user, 200, "k1", identity="m2")))[0]).balance.free_credits_remaining == 50


async def test_a_refusal_without_identity_is_known_by_the_brokers_flag(owner: Owner) -> None:
    user = await owner.open()
    await owner.use(user, 200, "k1")
    await owner.do(use(user, 201, "k1"), use(user, 202, "k1"))
    await owner.do(request("credits.grant", user, "g", amount=100, description="x", source="bonus"))
    again = (await owner.do(use(user, 200, "k1", redelivered=True)))[0]
    assert isinstance(again, Refused)
    assert again.error.details == {"available": 150, "required": 202}, "of messages without identity the newest"
    done((await owner.do(use(user, 200, "k1")))[0])


async def test_a_refused_batch_writes_no_position(owner: Owner, by_hand: asyncpg.Connection) -> None:
    before = await by_hand.fetchval("SELECT sum(position) FROM credits.partitions")
    committed = await owner.execute(use(fresh_user(), 1, "k1"), use(fresh_user(), 1, "k1"))
    assert [refused(reply) for reply in committed.replies] == ["unknown_user"] * 2
    assert committed.events == {}
    assert await by_hand.fetchval("SELECT sum(position) FROM credits.partitions") == before
    assert await by_hand.fetchval("SELECT count(*) FROM credits.refusals") == 2


async def test_a_refund_names_only_the_users_own_usages(owner: Owner) -> None:
    user, thief = await owner.open(), await owner.open()
    used = done(await owner.use(user, 30, "k1"))
    opening = done((await owner.do(request("account.open", user, "open")))[0])
    assert used.transaction is not None
    assert opening.transaction is not None
    replies = await owner.do(
        request("credits.refund", thief, "r1", transactionId=used.transaction.id),
        request("credits.refund", user, "r1", transactionId=opening.transaction.id),
        request("credits.refund", user, "r2", transactionId=used.transaction.id, actor=Actor("app", "draw")),
    )
    assert [refused(reply) for reply in replies] == ["invalid_request", "invalid_request", "app_mismatch"]


async def test_events_are_the_journals_rows(owner: Owner, database: Database) -> None:
    user = await owner.open()
    committed = await owner.execute(
        use(user, 1, "k1", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
        use(user, 500, "k2"),
        use(user, 2, "k3"),
    )
    partition = partition_of(user)
    assert [happening.position for happening in committed.events[partition]] == [2, 3]
    journal = Journal(database.url("mana_worker"))
    assert await journal.read_after(partition, 1, 100) == committed.events[partition]
    assert [row.position for row in await journal.read_after(partition, 0, 2)] == [1, 2]
    assert await journal.read_after(partition, 3, 100) == []
    await journal.close()


async def test_the_administrators_reason_stands_on_the_transaction(owner: Owner, by_hand: asyncpg.Connection) -> None:
    user = await owner.open()
    await owner.do(request("credits.adjust", user, "a", amount=5, description="x", reason="goodwill"))
    assert await by_hand.fetchval("SELECT reason FROM credits.transactions WHERE type = 'adjustment'") == "goodwill"


@pytest.mark.parametrize("size", [1, 7, 200])
async def test_one_refusal_in_ten(owner: Owner, database: Database, size: int) -> None:
    users = [await owner.open() for _ in range(5)]
    batch = [use(users[n % 5], 10**9 if n % 10 == 0 else 1, f"k{n}", identity=f"m{n}") for n in range(200)]
    replies = [reply for start in range(0, len(batch), size) for reply in await owner.do(*batch[start : start + size])]
    again = await owner.do(*batch)
    assert [isinstance(reply, Refused) for reply in replies] == [n % 10 == 0 for n in range(200)]
    assert [encode_reply(one).replace(b"true", b"false", 2) for one in again] == [
        encode_reply(one).replace(b"true", b"false", 2) for one in replies
    ]
    assert not [finding for finding in await audit(database.url("mana_owner")) if finding.violations]


async def test_a_suspended_user_uses_nothing_until_the_suspension_ends(
    owner: Owner, by_hand: asyncpg.Connection
) -> None:
    user, unopened = await owner.open(), fresh_user()
    usage = done(await owner.use(user, 5, "before")).transaction
    assert usage is not None
    await by_hand.execute(
        "INSERT INTO credits.suspensions SELECT unnest($1::text[])::uuid, 'banned', now()", [user, unopened]
    )
    replies = await owner.do(
        use(user, 1, "k1", identity="m1"),
        request("credits.refund", user, "k2", transactionId=usage.id),
        request("account.open", unopened, "open"),
        use(unopened, 1, "k1"),
    )
    assert [refused(replies[0]), refused(replies[3])] == ["account_frozen"] * 2
    assert [done(reply).balance.free_credits_remaining for reply in replies[1:3]] == [150, 150]
    assert await by_hand.fetchval("SELECT count(*) FROM credits.balances WHERE frozen") == 0, "the account's own word"

    await by_hand.execute("DELETE FROM credits.suspensions")
    again = await owner.do(use(user, 1, "k1", identity="m1"), use(user, 1, "k1", identity="m2"))
    assert refused(again[0]) == "account_frozen", "the same message"
    done(again[1])


async def test_no_words_are_kept_about_a_deleted_user(owner: Owner, by_hand: asyncpg.Connection) -> None:
    """[70]: an app may refund, and an administrator correct, when the erasure is long over."""
    user, banned = await owner.open(), await owner.open()
    for account, reason in ((user, "deleted"), (banned, "banned")):
        usage = done(await owner.use(account, 5, "before")).transaction
        assert usage is not None
        await by_hand.execute("INSERT INTO credits.suspensions VALUES ($1::text::uuid, $2, now())", account, reason)
        words: dict[str, Any] = {"description": "Ada asked", "metadata": {"name": "Ada"}}
        replies = await owner.do(
            request("credits.refund", account, "k1", transactionId=usage.id, **words),
            request("credits.adjust", account, "k2", amount=1, reason="Ada wrote to us", **words),
            request("account.freeze", account, "k3", reason="Ada again"),
        )
        again = await owner.do(request("credits.refund", account, "k1", transactionId=usage.id, **words))
        assert [done(reply).replayed for reply in (*replies, *again)] == [False] * 3 + [True]
    kept = await by_hand.fetch(
        "SELECT description, metadata::text, reason FROM credits.transactions"
        " WHERE account_id = $1::text::uuid AND idempotency_key IN ('k1', 'k2')",
        user,
    )
    assert [tuple(row) for row in kept] == [("deleted", None, None)] * 2
    said = "SELECT reason FROM credits.keys WHERE account_id = $1::text::uuid AND idempotency_key = 'k3'"
    assert [await by_hand.fetchval(said, account) for account in (user, banned)] == [None, "Ada again"]
    asked = "SELECT count(*) FROM credits.transactions WHERE account_id = $1::text::uuid AND description = 'Ada asked'"
    assert await by_hand.fetchval(asked, banned) == 2


async def test_a_batch_that_waited_behind_a_suspension_sees_it(owner: Owner, by_hand: asyncpg.Connection) -> None:
    """[57]: what is read for a batch is read once its accounts are locked, not before."""
    user = await owner.open()
    async with by_hand.transaction():
        await by_hand.execute("SELECT 1 FROM credits.balances FOR UPDATE")
        waiting = asyncio.create_task(owner.use(user, 1, "k1"))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await by_hand.execute("INSERT INTO credits.suspensions VALUES ($1::text::uuid, 'banned', now())", user)
    assert refused(await waiting) == "account_frozen"
