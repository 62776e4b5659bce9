"""Group commit is invisible: however commands are put together into batches, they come to the same."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.closing import books_close
from tests.property.memory import MemoryLedger
from tests.property.wire import Message, ask, history, user_id
from workers.ledger.model import RefusalKey

BEFORE = datetime(2028, 2, 28, 12, 0, tzinfo=UTC)
NOW = datetime(2028, 3, 1, 0, 0, 0, 1, tzinfo=UTC)
USERS = [user_id(1), user_id(2), user_id(3)]
ENDS = st.sampled_from([None, NOW - timedelta(days=1), NOW, NOW + timedelta(seconds=1)])

PRELUDE: list[dict[str, Any]] = [
    {"type": "account.open", "signupBonus": True},
    {"type": "credits.grant", "amount": 7, "source": "promotion", "description": "x", "expiresAt": NOW},
    {"type": "credits.use", "amount": 4, "appId": "chat", "description": "x"},
    {"type": "credits.use", "amount": 9, "appId": "draw", "description": "x"},
    {"type": "credits.adjust", "amount": 20, "description": "x", "reason": "y"},
]
"""What users 1 and 2 have behind them: transactions 3 and 4 are usages, of a lot that ends ``NOW``."""


def _fields(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


_TEXT = {"description": st.just("x")}
_AMOUNTS = st.sampled_from([1, 2, 5, 50, 140, 170])
COMMANDS = st.one_of(
    _fields("credits.use", amount=_AMOUNTS, appId=st.just("chat"), **_TEXT),
    _fields("credits.use", amount=_AMOUNTS, appId=st.just("draw"), **_TEXT),
    _fields("credits.refund", transactionId=st.sampled_from([3, 4, 5]), amount=st.sampled_from([1, 3, 4, 9])),
    _fields("credits.grant", amount=_AMOUNTS, source=st.just("bonus"), expiresAt=ENDS, **_TEXT),
    _fields("credits.adjust", amount=st.sampled_from([-160, -20, -1, 1, 30]), reason=st.just("y"), **_TEXT),
    _fields("account.open", signupBonus=st.booleans()),
    _fields("account.freeze", reason=st.just("y")),
    _fields("account.unfreeze", reason=st.just("y")),
    _fields("account.threshold", below=st.sampled_from([None, 1, 100, 150, 155])),
    _fields("credits.balance"),
    _fields("credits.expire"),
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Keys and message ids come from few, so that commands are repeated, redelivered and in conflict."""
    body = draw(COMMANDS)
    user = draw(st.sampled_from(USERS))
    key = {} if body["type"] in ("credits.balance", "credits.expire") else {"idempotencyKey": draw(_KEYS)}
    return Message(
        body | {"userId": user} | key,
        message=draw(st.sampled_from(["", "", "m1", "m2"])),
        redelivered=draw(st.booleans()),
        deadline=draw(st.sampled_from([None, None, None, NOW, NOW - timedelta(microseconds=1)])),
        login=draw(st.sampled_from([None, "chat"])) if body["type"] == "credits.refund" else None,
    )


_KEYS = st.sampled_from(["k1", "k2", "k3", "k4", "k5", "k6"])
BATCHES = st.lists(messages(), max_size=14)
SUSPENDED = st.frozensets(st.sampled_from(USERS), max_size=1)
SETTINGS = settings(max_examples=150)


def _ledger(suspended: Collection[str] = ()) -> MemoryLedger:
    ledger = MemoryLedger()
    for user in USERS[:2]:
        for number, body in enumerate(PRELUDE):
            ask(ledger, [Message(body | {"userId": user, "idempotencyKey": f"before-{number}"})], BEFORE)
    for user in suspended:
        ledger.suspend(user, suspended=True)
    return ledger


def _seen(ledger: MemoryLedger) -> dict[str, Any]:
    """All that a ledger keeps, without its ids."""
    for user in USERS:
        books_close(ledger, user)
    lots = {user: [(lot.kind, lot.remaining, lot.expires_at) for lot in ledger.lots_of(user)] for user in USERS}
    refusals: dict[RefusalKey, str] = {place: error.code for place, error in ledger.refusals.items()}
    recorded = {place: (answer.operation[:15], answer.balance) for place, answer in ledger.answers.items()}
    named = {place: answer for place, answer in recorded.items() if not place[1].startswith("expiry:")}
    histories = {user: history(ledger, user) for user in USERS}
    return {"lots": lots, "accounts": ledger.accounts, "refusals": refusals, "answers": named, "history": histories}


@SETTINGS
@given(batch=BATCHES, suspended=SUSPENDED)
def test_a_batch_equals_its_commands_one_by_one(batch: list[Message], suspended: frozenset[str]) -> None:
    together, apart = _ledger(suspended), _ledger(suspended)
    answers = ask(together, batch, NOW)
    assert answers == [ask(apart, [message], NOW)[0] for message in batch]
    assert _seen(together) == _seen(apart)


@SETTINGS
@given(batch=BATCHES, data=st.data())
def test_splitting_a_batch_changes_nothing(batch: list[Message], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(batch)))
    whole, split = _ledger(), _ledger()
    assert ask(whole, batch, NOW) == ask(split, batch[:at], NOW) + ask(split, batch[at:], NOW)
    assert _seen(whole) == _seen(split)


@SETTINGS
@given(batch=BATCHES, order=st.permutations(USERS))
def test_the_order_of_users_in_a_batch_changes_nothing(batch: list[Message], order: list[str]) -> None:
    places = sorted(range(len(batch)), key=lambda place: order.index(batch[place].user))
    as_it_came, by_user = _ledger(), _ledger()
    answers = ask(as_it_came, batch, NOW)
    assert [answers[place] for place in places] == ask(by_user, [batch[place] for place in places], NOW)
    assert _seen(as_it_came) == _seen(by_user)


@SETTINGS
@given(batch=BATCHES)
def test_the_same_messages_again_change_nothing_and_get_the_same_answers(batch: list[Message]) -> None:
    """The broker delivers them all once more, each under a message id of its own."""
    named = [
        Message(one.body, f"m{number}", deadline=one.deadline, login=one.login) for number, one in enumerate(batch)
    ]
    ledger = _ledger()
    first = ask(ledger, named, NOW)
    before = _seen(ledger)
    again = [Message(one.body, one.message, redelivered=True, deadline=one.deadline, login=one.login) for one in named]
    second = ask(ledger, again, NOW + timedelta(hours=1))
    writes = [number for number, one in enumerate(named) if "idempotencyKey" in one.body]
    assert [_first(first[number]) for number in writes] == [_first(second[number]) for number in writes]
    if len(writes) == len(named):
        assert _seen(ledger) == before


def _first(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"replayed": False} if answer["ok"] else answer
