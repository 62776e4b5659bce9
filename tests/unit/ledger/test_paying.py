"""What the commands of payments write, field by field, and what they leave alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from contracts.commands import COMMANDS, operation
from contracts.fields import BALANCE_MAX
from contracts.permissions import Actor
from contracts.replies import Done, Refused, Transaction
from tests.property.closing import books_close
from tests.property.memory import MemoryLedger
from workers.ledger.model import Posting, Request, Terms

ANN = "00000000-0000-7000-8000-000000000001"
NOW = datetime(2028, 2, 29, 12, tzinfo=UTC)
FIRST, SECOND = ("0190e000-0000-7000-8000-000000000001", "0190e000-0000-7000-8000-000000000002")
PAID = {"amount": 500, "currency": "eur", "paymentIntentId": "pi_1"}


def _request(kind: str, key: str, **fields: Any) -> Request:
    body = {"userId": ANN, "idempotencyKey": key, **fields}
    command = msgspec.json.decode(msgspec.json.encode(body), type=COMMANDS[kind])
    return Request(command=command, actor=Actor("system"), partition=7)


def _buy(purchase: str = FIRST, **more: Any) -> Request:
    payment = PAID | {"paymentIntentId": f"pi_{purchase[-1]}"} | more
    return _request("credits.purchase", f"stripe:purchase:pi_{purchase[-1]}", purchaseId=purchase, paid=payment)


def _fact(kind: str, name: str, amount: int, state: str, purchase: str = FIRST) -> Request:
    type_ = "credits.thaw" if state in ("failed", "won") else "credits.clawback"
    fact = {"id": name, "amount": amount, "state": state}
    return _request(type_, f"stripe:{kind}:{name}:{state}", purchaseId=purchase, **{kind: fact})


def _use(amount: int, key: str = "u") -> Request:
    return _request("credits.use", key, amount=amount, appId="chat", description="x")


@pytest.fixture
def ledger() -> MemoryLedger:
    """An open account without credits, and two purchases of 500 at 500 cents."""
    ledger = MemoryLedger(Terms(signup_bonus=0, daily_free=0))
    ledger.apply([_request("account.open", "o")], NOW)
    for purchase in (FIRST, SECOND):
        ledger.sell(ANN, purchase, 500, 500, NOW)
    return ledger


def _do(ledger: MemoryLedger, *requests: Request) -> list[Transaction]:
    """The transactions that the batch made."""
    for reply in ledger.apply(requests, NOW):
        assert isinstance(reply, Done), reply
    books_close(ledger, ANN)
    return [entry.transaction for entry in ledger.outcomes[-1].entries]


def _postings(ledger: MemoryLedger) -> list[tuple[Posting, ...]]:
    return [entry.postings for entry in ledger.outcomes[-1].entries]


def test_a_payment_makes_the_lot_and_the_transaction_under_the_purchases_id(ledger: MemoryLedger) -> None:
    command = _buy()
    (row,) = _do(ledger, command)
    assert (row.id, row.type, row.amount, row.refers_to, row.origin) == (FIRST, "purchase", 500, None, "system")
    assert row.description == "Purchase of 500 credits"
    assert ledger.outcomes[-1].entries[0].operation == operation(command.command)
    assert _postings(ledger) == [(Posting(1, "system:stripe", ANN, FIRST, 500),)]
    (lot,) = ledger.lots_of(ANN)
    assert (lot.id, lot.kind, lot.free, lot.granted, lot.remaining, lot.expires_at) == (
        FIRST,
        "purchase",
        False,
        500,
        500,
        None,
    )
    (bought, _) = ledger.purchases_of(ANN)
    assert (bought.status, bought.completed_at, bought.payment_intent_id) == ("completed", NOW, "pi_1")


def test_each_command_makes_a_transaction_if_only_of_nothing(ledger: MemoryLedger) -> None:
    rows = _do(ledger, _buy(), _use(500), _fact("refund", "re", 500, "pending"), _fact("dispute", "dp", 500, "open"))
    assert [(row.type, row.amount) for row in rows[2:]] == [("clawback", 0), ("clawback", 0)]
    assert [row.description for row in rows[2:]] == ["Refund of a purchase asked for", "Payment disputed"]
    assert {row.refers_to for row in rows[2:]} == {FIRST}
    assert _postings(ledger)[2:] == [(), ()]


def test_what_is_used_is_owed_and_the_next_purchase_pays_it(ledger: MemoryLedger) -> None:
    _do(ledger, _buy(), _use(400), _fact("refund", "re", 500, "succeeded"))
    assert _postings(ledger)[-1] == (
        Posting(1, ANN, "system:stripe", FIRST, 100),
        Posting(2, f"debt:{ANN}", "system:stripe", FIRST, 400),
    )
    bought, paying = _do(ledger, _buy(SECOND))
    assert (bought.amount, bought.balance_after, paying.amount, paying.balance_after) == (500, 500, -400, 100)
    assert (paying.idempotency_key, paying.refers_to) == (f"stripe:debt:{SECOND}:{FIRST}", FIRST)
    assert _postings(ledger)[-1] == (Posting(1, ANN, f"debt:{ANN}", SECOND, 400),)
    first, second = ledger.purchases_of(ANN)
    assert (first.debt, second.debt, first.status, second.status) == (0, 0, "refunded", "completed")


def test_a_purchase_that_is_smaller_than_the_debt_leaves_the_rest_of_it(ledger: MemoryLedger) -> None:
    ledger.sell(ANN, FIRST, 900, 500, NOW)
    _do(ledger, _buy(), _use(900), _fact("dispute", "dp", 500, "lost"), _buy(SECOND))
    assert [purchase.debt for purchase in ledger.purchases_of(ANN)] == [400, 0]
    assert ledger.accounts[ANN].available == 0


def test_debts_are_paid_the_oldest_first_and_those_of_others_not_at_all(ledger: MemoryLedger) -> None:
    third = FIRST[:-1] + "3"
    other = "00000000-0000-7000-8000-000000000002"
    ledger.sell(ANN, third, 450, 500, NOW)
    for purchase in (FIRST, SECOND):
        _do(ledger, _buy(purchase), _use(500, purchase))
    _do(ledger, *(_fact("refund", f"re_{one[-1]}", 300, "succeeded", one) for one in (SECOND, FIRST)))
    ledger.sell(other, FIRST[:-1] + "0", 500, 500, NOW)
    ledger.purchases[other, FIRST[:-1] + "0"].debt = 50
    theirs = _fact("refund", "re", 1, "pending", FIRST[:-1] + "0")
    theirs = msgspec.structs.replace(theirs, command=msgspec.structs.replace(theirs.command, user_id=other))
    ledger.apply([_buy(third), theirs], NOW)
    rows = [entry.transaction for entry in ledger.outcomes[-1].entries]
    assert [(row.refers_to, row.amount) for row in rows] == [(None, 450), (FIRST, -300), (SECOND, -150)]
    assert ledger.purchases[other, FIRST[:-1] + "0"].debt == 50


def test_credits_that_come_back_by_two_ways_are_more_than_the_lot_was_granted(ledger: MemoryLedger) -> None:
    """Used, taken back, owed, paid by another purchase; then the usage is given back, and the dispute is won."""
    for first_back in ("usage", "dispute"):
        case = MemoryLedger(Terms(signup_bonus=0, daily_free=0))
        case.apply([_request("account.open", "o")], NOW)
        for purchase in (FIRST, SECOND):
            case.sell(ANN, purchase, 500, 500, NOW)
        _, usage, *_ = _do(case, _buy(), _use(500), _fact("dispute", "dp", 500, "lost"), _buy(SECOND))
        back = [_request("credits.refund", "r", transactionId=usage.id), _fact("dispute", "dp", 500, "won")]
        for request in back if first_back == "usage" else reversed(back):
            _do(case, request)
        lots = [(lot.kind, lot.granted, lot.remaining) for lot in case.lots_of(ANN)]
        assert lots == [("purchase", 500, 500), ("purchase", 500, 0), ("purchase", 500, 500)]
        assert case.accounts[ANN].available == 1000, "both were paid for, and nothing was used"
    assert ledger.accounts[ANN].available == 0


def test_facts_that_were_known_before_the_payment_are_settled_with_it(ledger: MemoryLedger) -> None:
    early = [_fact("refund", "re", 100, "succeeded"), _fact("dispute", "dp", 1, "open")]
    assert [(row.amount, row.refers_to) for row in _do(ledger, *early)] == [(0, FIRST), (0, FIRST)]
    assert ledger.purchases_of(ANN)[0].status == "pending"
    bought, settled = _do(ledger, _buy())
    assert (bought.amount, settled.amount, settled.idempotency_key) == (500, -500, f"stripe:settled:{FIRST}")
    (first, _) = ledger.purchases_of(ANN)
    assert (first.status, first.taken, first.held) == ("disputed", 100, 400)


def test_what_is_taken_and_given_back_is_in_no_total(ledger: MemoryLedger) -> None:
    _do(ledger, _buy(), _use(100), _fact("dispute", "dp", 500, "lost"), _fact("dispute", "dp", 500, "won"))
    account = ledger.accounts[ANN]
    assert (account.balance, account.total_earned, account.total_spent) == (400, 500, 100)


def _refused(ledger: MemoryLedger, request: Request) -> list[str]:
    (reply,) = ledger.apply([request], NOW)
    assert isinstance(reply, Refused)
    assert not ledger.outcomes[-1].purchases
    assert not ledger.outcomes[-1].entries
    return [error["field"] for error in reply.error.details["errors"]]


def test_an_account_that_is_full_refuses_and_the_fact_may_come_again(ledger: MemoryLedger) -> None:
    _do(ledger, _buy(), _fact("dispute", "dp", 500, "lost"))
    lot = ledger.lots[ANN][FIRST]
    ledger.sell(ANN, SECOND, 500, 500, NOW)
    fill = [_request("credits.adjust", f"a{n}", amount=10**9, description="x", reason="y") for n in range(2)]
    _do(ledger, *fill)
    full = ledger.outcomes[-1].lots[-1]
    ledger.lots[ANN][full.id].granted = ledger.lots[ANN][full.id].remaining = BALANCE_MAX - 10**9
    ledger.accounts[ANN].balance = BALANCE_MAX
    assert _refused(ledger, _buy(SECOND)) == ["amount"]
    assert _refused(ledger, _fact("dispute", "dp", 500, "won")) == ["amount"]
    ledger.apply([_fact("dispute", "dp", 500, "won"), _fact("refund", "re", 1, "pending")], NOW)
    assert [type(reply) for reply in ledger.outcomes[-1].replies] == [Refused, Done], "forgotten at once"
    assert ledger.purchases_of(ANN)[0].disputes["dp"].state == "lost"
    assert lot.remaining == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [({"amount": 501}, "paid.amount"), ({"currency": "usd"}, "paid.currency")],
)
def test_other_money_is_refused(ledger: MemoryLedger, change: dict[str, Any], field: str) -> None:
    assert _refused(ledger, _buy(**change)) == [field]
    assert _refused(
        ledger,
        _request("credits.clawback", "k", purchaseId=ANN, refund={"id": "re", "amount": 1, "state": "succeeded"}),
    ) == ["purchaseId"]
    _do(ledger, _buy())
    again = PAID | {"paymentIntentId": "pi_other"}
    assert _refused(ledger, _request("credits.purchase", "k", purchaseId=FIRST, paid=again)) == ["paid.paymentIntentId"]
