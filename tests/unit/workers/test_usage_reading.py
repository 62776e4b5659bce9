"""What is read of an event, and what is none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from workers.usage.model import Entry
from workers.usage.reading import UnreadableError, model_of, read

_ID = "0190f2a0-7c1b-7000-8000-0000000000aa"
_USER = "0190f2a0-7c1b-7000-8000-000000000001"


_TRANSACTION: dict[str, Any] = {
    "id": _ID,
    "userId": _USER,
    "type": "usage",
    "status": "completed",
    "amount": -3,
    "balanceBefore": 150,
    "balanceAfter": 147,
    "appId": "chat",
    "origin": "app",
    "description": "x",
    "metadata": {"model": "small"},
    "idempotencyKey": "k",
    "refersTo": None,
    "sequence": 2,
    "createdAt": "2026-01-31T23:59:59.9Z",
    "completedAt": "2026-01-31T23:59:59.9Z",
}


def _event(**changed: Any) -> bytes:
    told = {"transaction": {**_TRANSACTION, **changed}}
    return json.dumps({"source": "/mana/credits", "type": "credits.used", "data": told}).encode()


def test_a_usage() -> None:
    assert read(_event()) == Entry(
        account_id=UUID(_USER),
        sequence=2,
        kind="usage",
        at=datetime(2026, 1, 31, 23, 59, 59, 900_000, tzinfo=UTC),
        app_id="chat",
        model="small",
        usage_id=UUID(_ID),
        amount=3,
    )


def test_a_refund_is_of_the_model_of_its_usage() -> None:
    usage = "0190f2a0-7c1b-7000-8000-0000000000bb"
    entry = read(_event(type="refund", amount=2, refersTo=usage))
    assert entry is not None
    assert (entry.kind, entry.usage_id, entry.model, entry.amount) == ("refund", UUID(usage), "", 2)


@pytest.mark.parametrize("kind", ["bonus", "purchase", "expiry", "adjustment", "clawback"])
def test_others_are_known_and_counted_as_nothing(kind: str) -> None:
    entry = read(_event(type=kind, amount=5, appId=None))
    assert entry is not None
    assert (entry.kind, entry.sequence) == (None, 2)


@pytest.mark.parametrize(
    "body",
    [
        b'{"source": "/mana/users", "type": "user.registered", "data": {"user": {}}}',
        b'{"source": "/mana/credits", "type": "credits.refused", "data": {"command": "credits.use"}}',
        b'{"source": "/mana/credits", "type": "credits.low", "data": {"transactionId": "x", "balance": {}}}',
        _event().replace(b"/mana/credits", b"/somebody/else"),
    ],
)
def test_what_tells_of_no_transaction(body: bytes) -> None:
    assert read(body) is None


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"[]", b"{}", b'{"source": "/mana/credits"}', b'{"source": 1, "data": {}}'),
        *(_event(amount=3), _event(amount=0), _event(amount=-(2**60)), _event(amount=1.5)),
        *(_event(appId=None), _event(appId=""), _event(appId="a b"), _event(appId="x" * 65)),
        *(_event(sequence=0), _event(sequence=None), _event(userId="ada"), _event(id=None)),
        *(_event(createdAt="2026-01-31"), _event(createdAt="2026-01-31T10:00:00"), _event(metadata=[1])),
        _event(type="refund", amount=-2, refersTo=_ID),
    ],
)
def test_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(body)


MODELS = [
    ("null", ""),
    ("{}", ""),
    ('{"model": "small"}', "small"),
    ('{"model": ""}', ""),
    ('{"model": null}', ""),
    ('{"model": 7}', ""),
    ('{"model": ["small"]}', ""),
    ('{"model": {"model": "small"}}', ""),
    ('{"a": {"model": "small"}}', ""),
    ('{"Model": "small"}', ""),
    ('{"model": "small", "model": "large"}', "large"),
    ('{"model": "small", "model": 7}', ""),
    ('{"mod\\u0065l": "sm\\u0061ll"}', "small"),
    ('{"model": "\\ud83d\\ude00"}', "😀"),
    (json.dumps({"model": "😀" * 100}, ensure_ascii=False), "😀" * 100),
    (json.dumps({"model": "😀" * 101}), ""),
    ('{"b":1.50,"a":[1e3],"model" :\t"a \\"b\\" \\\\","n":12345678901234567890}', 'a "b" \\'),
    ('{"model": " small "}', " small "),
]


@pytest.mark.parametrize(("metadata", "model"), MODELS)
def test_which_metadata_has_a_model(metadata: str, model: str) -> None:
    assert model_of(metadata.encode()) == model
