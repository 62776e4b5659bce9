"""Goal: replies are, to the letter, what the contract shows: fields in its order, null where there is nothing, UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import UNSET, Raw

from contracts.errors import Error, invalid_field
from contracts.replies import Balance, BalanceRead, Done, Refused, Transaction, as_json, decode_reply, encode_reply

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
BALANCE = Balance(balance=0, free_credits_remaining=147, total_earned=150, total_spent=3)
USAGE = Transaction(
    id="0190f2a0-7c1b-7000-8000-0000000000aa",
    user_id="0190f2a0-7c1b-7000-8000-000000000001",
    type="usage",
    status="completed",
    amount=-3,
    balance_before=150,
    balance_after=147,
    app_id="chat",
    origin="app",
    description="GPT answer",
    metadata=Raw(b'{"model":"x"}'),
    idempotency_key="req-81",
    refers_to=None,
    sequence=2,
    created_at=AT,
    completed_at=AT,
)
USAGE_JSON = (
    '{"id":"0190f2a0-7c1b-7000-8000-0000000000aa","userId":"0190f2a0-7c1b-7000-8000-000000000001","type":"usage",'
    '"status":"completed","amount":-3,"balanceBefore":150,"balanceAfter":147,"appId":"chat","origin":"app",'
    '"description":"GPT answer","metadata":{"model":"x"},"idempotencyKey":"req-81","refersTo":null,"sequence":2,'
    '"createdAt":"2026-01-02T03:04:05.678000Z","completedAt":"2026-01-02T03:04:05.678000Z"}'
)
BALANCE_JSON = '{"balance":0,"freeCreditsRemaining":147,"totalEarned":150,"totalSpent":3}'


def test_done() -> None:
    expected = f'{{"ok":true,"replayed":false,"transaction":{USAGE_JSON},"balance":{BALANCE_JSON}}}'
    assert encode_reply(Done(USAGE, BALANCE)).decode() == expected


def test_a_replay_differs_in_one_word() -> None:
    first, again = encode_reply(Done(USAGE, BALANCE)), encode_reply(Done(USAGE, BALANCE, replayed=True))
    assert again == first.replace(b'"replayed":false', b'"replayed":true')


def test_done_without_a_transaction() -> None:
    expected = f'{{"ok":true,"replayed":false,"transaction":null,"balance":{BALANCE_JSON}}}'
    assert encode_reply(Done(None, BALANCE)).decode() == expected


def test_nothing_is_null() -> None:
    bare = msgspec.structs.replace(USAGE, app_id=None, metadata=Raw(b"null"))
    written = encode_reply(Done(bare, BALANCE))
    assert b'"appId":null' in written
    assert b'"metadata":null' in written


def test_balance() -> None:
    assert encode_reply(BalanceRead(BALANCE)).decode() == f'{{"ok":true,"balance":{BALANCE_JSON}}}'


def test_refused() -> None:
    refused = Refused(Error("insufficient_credits", "not enough", {"available": 2, "required": 3}))
    assert encode_reply(refused).decode() == (
        '{"ok":false,"error":{"code":"insufficient_credits","message":"not enough",'
        '"details":{"available":2,"required":3}}}'
    )
    assert encode_reply(Refused(invalid_field("amount", "is required"))).decode() == (
        '{"ok":false,"error":{"code":"invalid_request","message":"amount: is required",'
        '"details":{"errors":[{"field":"amount","message":"is required"}]}}}'
    )
    assert encode_reply(Refused(Error("unknown_user", "no such account"))).decode() == (
        '{"ok":false,"error":{"code":"unknown_user","message":"no such account","details":{}}}'
    )


def test_reading_back() -> None:
    done = decode_reply(encode_reply(Done(USAGE, BALANCE, replayed=True)))
    assert done.ok
    assert done.replayed
    assert done.balance == BALANCE
    assert done.error is UNSET
    assert done.transaction is not None
    assert as_json(done.transaction).decode() == USAGE_JSON
    refused = decode_reply(encode_reply(Refused(Error("forbidden", "no"))))
    assert not refused.ok
    assert refused.transaction is None
    assert refused.error == Error("forbidden", "no")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"ok":1}', b'{"ok":true,"balance":{}}', b"\xff"])
def test_reading_what_is_no_reply(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_reply(body)
