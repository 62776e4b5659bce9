"""Goal: events are CloudEvents of the contract's shape, and one happening has one id, however often it is told."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from contracts.errors import Error
from contracts.events import (
    EVENT_OF_TRANSACTION,
    MEANINGS,
    OF_TRANSACTIONS,
    Event,
    EventType,
    TopupFailedData,
    decode_event,
    encode_event,
    event_routing_key,
    low_event,
    refused_event,
    topup_failed_event,
    transaction_event,
    user_event,
)
from contracts.replies import TransactionType
from contracts.user_events import DATA_OF, USER_EVENTS, SessionData, ToldUser, UserData, UserEventType
from tests.unit.contracts.test_replies import AT, BALANCE, BALANCE_JSON, USAGE, USAGE_JSON

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REFUSAL: dict[str, Any] = {
    "subject": USAGE.user_id,
    "command": "credits.use",
    "idempotency_key": "req-81",
    "app_id": "chat",
    "error": Error("account_frozen", "frozen"),
    "sender": None,
    "identity": "message-1",
    "time": AT,
    "traceparent": None,
}


def refused_with(**change: Any) -> Event:
    arguments: dict[str, Any] = {**REFUSAL, **change}
    return refused_event(**arguments)


def test_a_transactions_event() -> None:
    assert encode_event(transaction_event(USAGE, BALANCE, TRACEPARENT)).decode() == (
        f'{{"id":"{USAGE.id}","type":"credits.used","subject":"{USAGE.user_id}","time":"2026-01-02T03:04:05.678000Z",'
        f'"data":{{"transaction":{USAGE_JSON},"balance":{BALANCE_JSON}}},"sequence":2,"traceparent":"{TRACEPARENT}",'
        '"specversion":"1.0","source":"/mana/credits","datacontenttype":"application/json"}'
    )


def test_what_is_not_known_is_left_out() -> None:
    event = decode_event(encode_event(transaction_event(USAGE, BALANCE, None)))
    assert "traceparent" not in event
    refused = decode_event(encode_event(refused_with()))
    assert "sequence" not in refused
    assert refused["data"] == {
        "command": "credits.use",
        "idempotencyKey": "req-81",
        "appId": "chat",
        "error": {"code": "account_frozen", "message": "frozen", "details": {}},
    }


def test_a_transactions_id_is_its_events() -> None:
    assert transaction_event(USAGE, BALANCE, None).id == USAGE.id == transaction_event(USAGE, BALANCE, TRACEPARENT).id


def test_a_refusals_id_is_stable_over_processes() -> None:
    """Written down, so that a change of how it is made is seen: subscribers drop repeats by it."""
    assert refused_with().id == "39146bc2-112a-5312-97ed-e1fa1b045109"
    assert refused_with(sender="chat").id == "5f751e18-0573-5226-bc71-3718a7178fe0"
    later = refused_with(time=AT.replace(year=2030), traceparent=TRACEPARENT)
    assert later.id == refused_with().id


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "x"},
        {"command": "x"},
        {"idempotency_key": None},
        {"identity": ""},
        {"sender": "chat"},
        {"sender": ""},
    ],
)
def test_other_refusals_have_other_ids(change: dict[str, Any]) -> None:
    assert refused_with(**change).id != refused_with().id


def topup_failed() -> Event:
    data = TopupFailedData(purchase_id=USAGE.id, package_id="credits-500", reason="insufficient_funds")
    return topup_failed_event(user_id=USAGE.user_id, data=data, time=AT, cause=USAGE.id)


def test_a_top_up_that_failed() -> None:
    """Its id is written down, since subscribers drop repeats by it; it is not that of the purchase's transaction."""
    assert decode_event(encode_event(topup_failed())) == {
        "id": "faf75e73-6916-5136-bd14-11a79388ce9a",
        "type": "credits.topup_failed",
        "subject": USAGE.user_id,
        "time": "2026-01-02T03:04:05.678000Z",
        "data": {"purchaseId": USAGE.id, "packageId": "credits-500", "reason": "insufficient_funds"},
        "specversion": "1.0",
        "source": "/mana/credits",
        "datacontenttype": "application/json",
    }


def test_credits_that_run_low() -> None:
    """Its id is written down, since subscribers drop repeats by it."""
    event = low_event(USAGE, BALANCE, 150, TRACEPARENT)
    assert decode_event(encode_event(event)) == {
        "id": "0978645b-b757-5fb9-b799-e931f8fff33d",
        "type": "credits.low",
        "subject": USAGE.user_id,
        "time": "2026-01-02T03:04:05.678000Z",
        "data": {"threshold": 150, "transactionId": USAGE.id, "balance": json.loads(BALANCE_JSON)},
        "traceparent": TRACEPARENT,
        "specversion": "1.0",
        "source": "/mana/credits",
        "datacontenttype": "application/json",
    }


def test_routing_keys() -> None:
    assert event_routing_key("credits.used", "chat") == "credits.used.chat"
    assert event_routing_key("credits.granted", None) == "credits.granted.system"


def test_every_kind_of_transaction_has_its_event() -> None:
    assert EVENT_OF_TRANSACTION.keys() == set(get_args(TransactionType))
    assert OF_TRANSACTIONS | {"credits.refused", "credits.topup_failed", "credits.low", *USER_EVENTS} == set(
        get_args(EventType)
    )
    assert {*EVENT_OF_TRANSACTION.values(), "credits.disputed"} == OF_TRANSACTIONS


@pytest.mark.parametrize(
    ("type_", "key", "event"),
    [
        ("purchase", "stripe:purchase:pi_1", "credits.purchased"),
        ("clawback", "stripe:refund:re_1:succeeded", "credits.clawed_back"),
        ("clawback", "stripe:dispute:dp_1:500:open", "credits.disputed"),
        ("clawback", "stripe:dispute:dp_1:500:lost", "credits.clawed_back"),
        ("clawback", "stripe:dispute:dp_1:500:won", "credits.clawed_back"),
        ("clawback", "stripe:debt:a:b", "credits.clawed_back"),
        ("bonus", "stripe:dispute:dp_1:500:open", "credits.granted"),
    ],
)
def test_what_payments_are_told_as(type_: TransactionType, key: str, event: str) -> None:
    row = msgspec.structs.replace(USAGE, type=type_, idempotency_key=key, app_id=None)
    assert transaction_event(row, BALANCE, None).type == event


def happened_to_user(event_type: UserEventType) -> Event:
    user: UserData | SessionData = UserData(ToldUser(USAGE.user_id, "admin", email_verified=True, created_at=AT))
    data = SessionData(USAGE.id, "logout") if event_type == "session.revoked" else user
    return user_event(event_id=USAGE.id, event_type=event_type, user_id=USAGE.user_id, data=data, time=AT)


def test_an_event_of_a_user() -> None:
    assert encode_event(happened_to_user("user.banned")).decode() == (
        f'{{"id":"{USAGE.id}","type":"user.banned","subject":"{USAGE.user_id}","time":"2026-01-02T03:04:05.678000Z",'
        f'"data":{{"user":{{"id":"{USAGE.user_id}","role":"admin","emailVerified":true,'
        '"createdAt":"2026-01-02T03:04:05.678000Z"}},"specversion":"1.0","source":"/mana/users",'
        '"datacontenttype":"application/json"}'
    )


@pytest.mark.parametrize("event_type", USER_EVENTS)
def test_events_of_users_say_nothing_but_what_their_type_says(event_type: UserEventType) -> None:
    event = decode_event(encode_event(happened_to_user(event_type)))
    assert (event["type"], "sequence" in event) == (event_type, False)
    assert msgspec.convert(event["data"], DATA_OF[event_type])


def test_every_event_is_described() -> None:
    assert MEANINGS.keys() == set(get_args(EventType))
