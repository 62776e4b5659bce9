"""What a decision writes, field by field: transactions, postings, keys, refusals, and each account and lot once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from contracts.commands import (
    Adjust,
    Command,
    Expire,
    Freeze,
    Grant,
    Open,
    ReadBalance,
    Refund,
    Unfreeze,
    Use,
    operation,
)
from contracts.fields import BALANCE_MAX
from contracts.permissions import Actor
from contracts.replies import Balance, BalanceRead, Done, Refused, Transaction
from tests.property.memory import MemoryLedger, fresh_ids
from workers.ledger.model import (
    Account,
    KeyRecord,
    Lot,
    Outcome,
    Posting,
    Recorded,
    RefusalRecord,
    Request,
    State,
    Terms,
)
from workers.ledger.rules import decide

ANN = "00000000-0000-7000-8000-000000000001"
NOW = datetime(2028, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
TODAY = NOW.date()
APP = Actor("app")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _request(command: Command, actor: Actor = APP, *, identity: str = "", redelivered: bool = False) -> Request:
    return Request(
        command=command, actor=actor, partition=7, identity=identity, redelivered=redelivered, traceparent=TRACE
    )


def _use(amount: int = 3, key: str = "k", metadata: Raw | None = None) -> Use:
    more: dict[str, Any] = {} if metadata is None else {"metadata": metadata}
    return Use(user_id=ANN, idempotency_key=key, amount=amount, app_id="chat", description="GPT answer", **more)


def _adjust(amount: int) -> Adjust:
    return Adjust(user_id=ANN, idempotency_key="adjust", amount=amount, description="d", reason="double charge")


def _state(*lots: Lot, last_daily: date = TODAY) -> State:
    free = sum(lot.remaining for lot in lots if lot.free)
    paid = sum(lot.remaining for lot in lots if not lot.free)
    account = Account(ANN, paid, free, free + paid, 0, len(lots), False, last_daily, "open")
    return State(accounts={ANN: account}, lots={ANN: list(lots)})


def _lot(name: str, amount: int, *, free: bool = True, expires_at: datetime | None = None) -> Lot:
    kind = "bonus" if free else "purchase"
    return Lot(name, ANN, kind, free, amount, amount, expires_at, NOW - timedelta(days=9))


def _decide(state: State, *requests: Request, terms: Terms | None = None) -> Outcome:
    return decide(state, requests, now=NOW, terms=terms or Terms(), ids=fresh_ids())


def _done(outcome: Outcome, number: int = -1) -> Done:
    reply = outcome.replies[number]
    assert isinstance(reply, Done)
    return reply


def _row(outcome: Outcome, number: int = -1) -> Transaction:
    transaction = _done(outcome, number).transaction
    assert transaction is not None
    return transaction


def _errors(outcome: Outcome) -> tuple[str, object]:
    reply = outcome.replies[-1]
    assert isinstance(reply, Refused)
    return reply.error.code, [error["field"] for error in reply.error.details.get("errors", [])]


def test_a_usage_is_written_whole() -> None:
    command = _use(4, metadata=Raw(b'{ "model" : "x", "big": 12345678901234567890 }'))
    outcome = _decide(_state(_lot("b", 9, free=False), _lot("a", 1)), _request(command))
    entry = outcome.entries[0]
    assert entry.transaction == Transaction(
        id="0190f000-0000-7000-8000-000000000001",
        user_id=ANN,
        type="usage",
        status="completed",
        amount=-4,
        balance_before=10,
        balance_after=6,
        app_id="chat",
        origin="app",
        description="GPT answer",
        metadata=entry.transaction.metadata,
        idempotency_key="k",
        refers_to=None,
        sequence=3,
        created_at=NOW,
        completed_at=NOW,
    )
    assert bytes(entry.transaction.metadata) == b'{"model":"x","big":12345678901234567890}'
    assert entry.balance == Balance(balance=6, free_credits_remaining=0, total_earned=10, total_spent=4)
    assert entry.postings == (
        Posting(1, ANN, "system:revenue", "a", 1),
        Posting(2, ANN, "system:revenue", "b", 3),
    )
    assert (entry.operation, entry.partition, entry.traceparent, entry.reason) == (operation(command), 7, TRACE, None)
    assert outcome.replies == [Done(entry.transaction, entry.balance)]


def test_a_replay_answers_what_was_stored_and_writes_nothing() -> None:
    row = _row(_decide(_state(_lot("a", 9)), _request(_use())))
    then = Balance(1, 2, 3, 4)
    state = _state(_lot("a", 9))
    state.recorded[ANN, "k"] = Recorded(operation(_use()), row, then)
    outcome = _decide(state, _request(_use()))
    assert outcome.replies == [Done(row, then, replayed=True)]
    assert outcome == Outcome(replies=outcome.replies)


@pytest.mark.parametrize("metadata", [None, Raw(b"null"), Raw(b" null ")])
def test_no_metadata_is_null(metadata: Raw | None) -> None:
    row = _row(_decide(_state(_lot("a", 9)), _request(_use(metadata=metadata))))
    assert bytes(row.metadata) == b"null"


def test_the_origin_is_the_askers() -> None:
    grant = Grant(user_id=ANN, idempotency_key="g", amount=1, description="d", source="bonus")
    for command in (_use(1), grant, _adjust(1), _adjust(-1)):
        for origin in ("app", "user", "system"):
            assert _row(_decide(_state(_lot("a", 9)), _request(command, actor=Actor(origin)))).origin == origin


def test_an_adjustment_has_a_reason_beside_it() -> None:
    up, down = (_decide(_state(_lot("a", 9)), _request(_adjust(amount))).entries[0] for amount in (5, -5))
    assert (up.reason, down.reason) == ("double charge", "double charge")
    assert up.transaction.app_id is None
    assert [(leg.source, leg.destination) for leg in (*up.postings, *down.postings)] == [
        ("system:adjustment", ANN),
        (ANN, "system:adjustment"),
    ]


def test_a_refund_refers_to_its_usage_and_has_its_app() -> None:
    state = _state(_lot("a", 9))
    usage = _row(_decide(state, _request(_use(5))))
    plain = Refund(user_id=ANN, idempotency_key="r1", transaction_id=usage.id, amount=2)
    told = Refund(user_id=ANN, idempotency_key="r2", transaction_id=usage.id, description="sorry", metadata=Raw(b"{ }"))
    outcome = _decide(state, _request(plain), _request(told, actor=Actor("user")))
    first, second = _row(outcome, 0), _row(outcome, 1)
    assert (first.amount, first.refers_to, first.app_id, first.origin) == (2, usage.id, "chat", "app")
    assert first.description == f"Refund of usage {usage.id}"
    assert (second.amount, second.description, bytes(second.metadata), second.origin) == (3, "sorry", b"{}", "user")
    assert outcome.entries[0].postings == (Posting(1, "system:revenue", ANN, "a", 2),)


def test_opening_makes_the_account_the_lot_and_the_transaction() -> None:
    command = Open(user_id=ANN, idempotency_key="o")
    outcome = _decide(State(), _request(command, actor=Actor("system")))
    assert outcome.accounts == [Account(ANN, 0, 150, 150, 0, 1, False, TODAY, "o", is_new=True)]
    (lot,) = outcome.lots
    assert lot == Lot(lot.id, ANN, "signup", True, 150, 150, None, NOW, is_new=True)
    row = _row(outcome)
    assert (row.type, row.amount, row.idempotency_key, row.origin, row.app_id) == ("bonus", 150, "o", "system", None)
    assert outcome.entries[0].postings == (Posting(1, "system:bonus", ANN, lot.id, 150),)
    assert not outcome.keys


@pytest.mark.parametrize(
    ("bonus", "terms"), [(False, Terms()), (True, Terms(signup_bonus=0)), (False, Terms(signup_bonus=0))]
)
def test_opening_without_a_bonus_leaves_its_key(bonus: bool, terms: Terms) -> None:
    command = Open(user_id=ANN, idempotency_key="o", signup_bonus=bonus)
    outcome = _decide(State(), _request(command), terms=terms)
    assert outcome.replies == [Done(None, Balance(0, 0, 0, 0))]
    assert outcome.keys == [KeyRecord(ANN, "o", operation(command), Balance(0, 0, 0, 0))]
    assert (outcome.entries, outcome.lots) == ([], [])
    assert outcome.accounts[0].is_new


def test_freezing_leaves_its_key_and_changes_the_account_once() -> None:
    freeze = Freeze(user_id=ANN, idempotency_key="f", reason="r")
    again = Freeze(user_id=ANN, idempotency_key="g", reason="r")
    thaw = Unfreeze(user_id=ANN, idempotency_key="u", reason="r")
    state = _state(_lot("a", 9))
    outcome = _decide(state, _request(freeze), _request(again))
    assert [record.reason for record in outcome.keys] == ["r", "r"]
    assert outcome.replies == [Done(None, Balance(0, 9, 9, 0))] * 2
    assert [key.idempotency_key for key in outcome.keys] == ["f", "g"]
    assert outcome.accounts == [state.accounts[ANN]]
    assert state.accounts[ANN].frozen
    assert not _decide(_state(), _request(thaw)).accounts, "it was not frozen"
    assert _decide(state, _request(thaw)).accounts == [state.accounts[ANN]]


def test_the_house_s_own_transactions_say_so_and_carry_the_request_s_trace() -> None:
    ended = [_lot("late", 2, expires_at=NOW), _lot("early", 1, expires_at=NOW - timedelta(hours=1))]
    outcome = _decide(_state(*ended, last_daily=date(2028, 2, 28)), _request(ReadBalance(user_id=ANN)))
    early, late, daily = outcome.entries
    assert [entry.transaction.idempotency_key for entry in outcome.entries] == [
        "expiry:early",
        "expiry:late",
        "daily:2028-02-29",
    ]
    assert early.postings == (Posting(1, ANN, "system:expired", "early", 1),)
    assert daily.postings[0].source == "system:bonus"
    for entry in (early, late, daily):
        row = entry.transaction
        assert (row.origin, row.app_id, bytes(row.metadata), row.refers_to) == ("system", None, b"null", None)
        assert row.description
        assert (entry.partition, entry.traceparent) == (7, TRACE)
        assert len(msgspec.json.decode(entry.operation)) == len(msgspec.json.decode(operation(_use())))
    assert outcome.replies == [BalanceRead(Balance(0, 5, 8, 0))]


def test_a_day_is_utc_s() -> None:
    behind = timezone(timedelta(hours=-10))
    midnight = datetime(2028, 2, 29, tzinfo=UTC)
    state = _state(last_daily=date(2028, 2, 28))
    read = _request(ReadBalance(user_id=ANN))
    outcome = decide(state, [read], now=midnight.astimezone(behind), terms=Terms(), ids=fresh_ids())
    assert outcome.entries[0].transaction.idempotency_key == "daily:2028-02-29"
    assert outcome.entries[0].transaction.created_at.utcoffset() == timedelta(0)


def test_without_daily_credits_nothing_of_the_day_is_written() -> None:
    outcome = _decide(_state(last_daily=date(2028, 1, 1)), _request(ReadBalance(user_id=ANN)), terms=Terms(150, 0))
    assert outcome == Outcome(replies=[BalanceRead(Balance(0, 0, 0, 0))])


def test_the_day_s_credits_are_as_configured() -> None:
    terms = Terms(signup_bonus=7, daily_free=9)
    outcome = _decide(_state(last_daily=date(2028, 1, 1)), _request(ReadBalance(user_id=ANN)), terms=terms)
    assert outcome.replies == [BalanceRead(Balance(0, 9, 9, 0))]
    assert _row(_decide(State(), _request(Open(user_id=ANN, idempotency_key="o")), terms=terms)).amount == 7


def test_a_full_account_gets_no_daily_credits_and_is_not_asked_again_that_day() -> None:
    for room, granted in ((4, 0), (5, 5)):
        state = _state(_lot("a", BALANCE_MAX - room, free=False), last_daily=date(2028, 2, 28))
        read = _request(ReadBalance(user_id=ANN))
        outcome = _decide(state, read, _request(_use(9)), read)
        assert len(outcome.entries) == 1 + (granted > 0)
        assert state.accounts[ANN].last_daily == TODAY
        assert outcome.accounts == [state.accounts[ANN]]
        assert outcome.replies[0] == BalanceRead(Balance(BALANCE_MAX - room, granted, BALANCE_MAX - room + granted, 0))


def test_no_command_takes_a_balance_past_what_json_holds() -> None:
    def full(room: int) -> State:
        return _state(_lot("a", BALANCE_MAX - room - 9, free=False), _lot("b", 9))

    grant = Grant(user_id=ANN, idempotency_key="g", amount=5, description="d", source="bonus")
    for command in (grant, _adjust(5)):
        assert _errors(_decide(full(4), _request(command))) == ("invalid_request", ["amount"])
        assert _row(_decide(full(5), _request(command))).balance_after == BALANCE_MAX
    state = full(0)
    usage = _row(_decide(state, _request(_use(5))))
    _decide(state, _request(_adjust(1)))
    refund = Refund(user_id=ANN, idempotency_key="r", transaction_id=usage.id)
    assert _errors(_decide(state, _request(refund))) == ("invalid_request", ["amount"])
    part = Refund(user_id=ANN, idempotency_key="p", transaction_id=usage.id, amount=4)
    assert _row(_decide(state, _request(part))).balance_after == BALANCE_MAX


def test_an_end_is_kept_in_utc_or_refused_where_utc_has_none() -> None:
    def ends(text: str) -> Outcome:
        body = {"userId": ANN, "idempotencyKey": "g", "amount": 1, "description": "d", "source": "bonus"}
        command = msgspec.json.decode(msgspec.json.encode(body | {"expiresAt": text}), type=Grant)
        return _decide(_state(), _request(command))

    (lot,) = ends("2028-03-01T01:00:00+02:00").lots
    assert str(lot.expires_at) == "2028-02-29 23:00:00+00:00"
    assert _errors(ends("9999-12-31T23:59:59-01:00")) == ("invalid_request", ["expiresAt"])
    assert _errors(ends("0001-01-01T00:00:00+01:00")) == ("invalid_request", ["expiresAt"])
    (lot,) = ends("9999-12-31T23:59:59.999999Z").lots
    assert lot.expires_at == datetime.max.replace(tzinfo=UTC)


def test_an_end_at_the_end_of_time_comes_before_none_at_all() -> None:
    never, last = _lot("a", 5), _lot("b", 5, expires_at=datetime.max.replace(tzinfo=UTC))
    outcome = _decide(_state(never, last), _request(_use(1)))
    assert outcome.entries[0].postings[0].lot_id == "b"


def test_the_older_lot_is_used_first_whatever_its_id() -> None:
    newer, older = _lot("a", 1), _lot("b", 1)
    newer.created_at += timedelta(microseconds=1)
    outcome = _decide(_state(newer, older), _request(_use(2)))
    assert [posting.lot_id for posting in outcome.entries[0].postings] == ["b", "a"]


def test_of_lots_that_end_together_the_older_one_expires_first() -> None:
    newer, older = _lot("a", 1, expires_at=NOW), _lot("b", 1, expires_at=NOW)
    newer.created_at += timedelta(microseconds=1)
    outcome = _decide(_state(newer, older), _request(Expire(user_id=ANN)))
    assert [entry.transaction.idempotency_key for entry in outcome.entries] == ["expiry:b", "expiry:a"]


def test_lots_of_one_moment_are_used_in_the_order_of_their_ids() -> None:
    outcome = _decide(_state(_lot("c", 1), _lot("a", 1), _lot("b", 1)), _request(_use(3)))
    assert [posting.lot_id for posting in outcome.entries[0].postings] == ["a", "b", "c"]


def test_each_account_and_lot_is_written_once_and_untouched_ones_not_at_all() -> None:
    state = _state(_lot("a", 9), _lot("b", 9))
    outcome = _decide(state, _request(_use(1, "k1")), _request(_use(1, "k2")), _request(_use(1, "k3")))
    assert outcome.accounts == [state.accounts[ANN]]
    assert [(lot.id, lot.remaining, lot.changed, lot.is_new) for lot in outcome.lots] == [("a", 6, True, False)]
    assert not _decide(_state(_lot("a", 9)), _request(ReadBalance(user_id=ANN))).accounts
    assert not _decide(_state(_lot("a", 9)), _request(_use(99))).accounts


def test_a_refusal_is_kept_exactly_as_it_was_answered_and_once() -> None:
    late = _request(_use(99), identity="m")
    outcome = _decide(_state(_lot("a", 9)), late, late, _request(_use(98)), _request(_use(99)))
    errors = [reply.error for reply in outcome.replies if isinstance(reply, Refused)]
    assert errors[0] == errors[1]
    assert outcome.refusals == [RefusalRecord(ANN, "k", "m", errors[0]), RefusalRecord(ANN, "k", "", errors[3])]
    assert errors[0].message == "99 credits are needed, 9 are available"


def test_a_stored_refusal_is_answered_and_not_stored_again() -> None:
    first = _decide(_state(_lot("a", 9)), _request(_use(99), identity="m")).refusals[0]
    state = _state(_lot("a", 999))
    state.refusals[ANN, "k", "m"] = first.error
    outcome = _decide(state, _request(_use(99), identity="m", redelivered=True))
    assert outcome == Outcome(replies=[Refused(first.error)])


@pytest.mark.parametrize("command", [ReadBalance(user_id=ANN), Expire(user_id=ANN)])
def test_a_read_that_is_refused_leaves_nothing(command: Command) -> None:
    outcome = _decide(State(), _request(command, identity="m"))
    assert _errors(outcome) == ("unknown_user", [])
    assert outcome == Outcome(replies=outcome.replies)


def test_a_lot_that_two_usages_burnt_is_one_lot_to_both_refunds() -> None:
    """The state may hold a lot that is used up twice, once for each usage: what goes back must add up all the same."""
    ledger = MemoryLedger()
    ledger.apply([_request(Open(user_id=ANN, idempotency_key="o"))], NOW)
    usages = ledger.apply([_request(_use(100, "a")), _request(_use(50, "b"))], NOW)
    ids = [reply.transaction.id for reply in usages if isinstance(reply, Done) and reply.transaction]
    refunds = [Refund(user_id=ANN, idempotency_key=f"r{one}", transaction_id=one) for one in ids]
    ledger.apply([_request(refund) for refund in refunds], NOW)
    (lot,) = ledger.lots_of(ANN)
    assert lot.remaining == 150


def test_an_account_without_its_stored_opening_is_our_fault_and_no_answer() -> None:
    with pytest.raises(KeyError):
        _decide(_state(), _request(Open(user_id=ANN, idempotency_key="o")))
