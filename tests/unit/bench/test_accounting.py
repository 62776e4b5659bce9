"""The accounting of a replay closes, or says where it does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bench.books import Books
from bench.errors import BenchError
from bench.replay.accounting import Accounting, Credits, Tally
from contracts.errors import Error
from contracts.replies import Balance, ReplyView, decode_reply

DONE = b"""{"ok": true, "replayed": %s, "transaction": {"id": "t", "userId": "u", "type": "usage",
"status": "completed", "amount": -3, "balanceBefore": 150, "balanceAfter": 147, "appId": "bench", "origin": "app",
"description": "d", "metadata": null, "idempotencyKey": "k", "refersTo": null, "sequence": 2,
"createdAt": "2026-01-01T00:00:00Z", "completedAt": "2026-01-01T00:00:00Z"},
"balance": {"balance": 0, "freeCreditsRemaining": 147, "totalEarned": 150, "totalSpent": 3}}"""
REFUSED = ReplyView(ok=False, error=Error("insufficient_credits", "not enough"))


def _closed() -> Accounting:
    tally = Tally(charged=2, credits_charged=6, replayed=1, refused=Counter({"unknown_user": 1}), credits_refused=4)
    books = Books(held=294, usages=2, credits_used=6)
    return Accounting(3, 10, tally, before=Credits(300, 300), after=Credits(294, 300), books=books)


def test_replies_are_counted_by_what_the_ledger_says() -> None:
    tally = Tally()
    tally.take(3, decode_reply(DONE % b"false"))
    tally.take(3, decode_reply(DONE % b"true"))
    tally.take(5, REFUSED)
    assert (tally.charged, tally.credits_charged, tally.replayed) == (2, 6, 1)
    assert (tally.refused, tally.credits_refused) == (Counter({"insufficient_credits": 1}), 5)


def test_an_answer_without_a_transaction_is_no_charge() -> None:
    with pytest.raises(BenchError, match="without a transaction"):
        Tally().take(1, ReplyView(ok=True))


def test_what_users_hold_is_paid_and_free_credits_together() -> None:
    assert Credits.of([Balance(10, 5, 20, 5), Balance(0, 1, 1, 0)]) == Credits(held=16, earned=21)


def test_an_accounting_that_closes_has_no_faults() -> None:
    assert list(_closed().faults()) == []


def test_credits_that_fell_due_meanwhile_are_accounted_for() -> None:
    closed = replace(_closed(), after=Credits(304, 310), books=Books(304, 2, 6))
    assert closed.granted == 10
    assert list(closed.faults()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"requests": 4}, "4 requests were sent, but 3 answered"),
        ({"credits_asked": 11}, "11 credits were asked for"),
        ({"after": Credits(295, 300), "books": Books(295, 2, 6)}, "should hold 294 credits, but hold 295"),
        ({"books": Books(293, 2, 6)}, "the database says 293"),
        ({"books": Books(294, 3, 6)}, "3 usages of 6"),
        ({"books": Books(294, 2, 9)}, "2 usages of 9"),
    ],
)
def test_each_figure_that_is_off_is_told(change: dict[str, object], said: str) -> None:
    [fault] = replace(_closed(), **change).faults()
    assert said in fault


def test_the_database_need_not_be_asked() -> None:
    assert list(replace(_closed(), books=None).faults()) == []
