"""Goal: one operation under one key is known again, and another is told from it, field by field of the contract."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contracts.commands import COMMANDS, operation
from tests.unit.contracts.examples import DISPUTE, MINIMAL, OF_PAYMENTS, OTHER_USER, PAYMENT, REFUND, USER

ALL = MINIMAL | OF_PAYMENTS


def asked(name: str, **change: Any) -> str:
    return operation(msgspec.convert({**ALL[name], **change}, COMMANDS[name]))


DECISIVE = [
    ("credits.use", {"amount": 4}),
    ("credits.use", {"appId": "other"}),
    ("credits.refund", {"transactionId": USER}),
    ("credits.refund", {"amount": 1}),
    ("credits.grant", {"amount": 6}),
    ("credits.grant", {"source": "bonus"}),
    ("credits.grant", {"expiresAt": "2027-01-01T00:00:00Z"}),
    ("credits.adjust", {"amount": 5}),
    ("account.threshold", {"below": 51}),
    ("account.threshold", {"below": None}),
    ("credits.purchase", {"purchaseId": USER}),
    ("credits.purchase", {"paid": {**PAYMENT, "amount": 501}}),
    ("credits.purchase", {"paid": {**PAYMENT, "currency": "usd"}}),
    ("credits.purchase", {"paid": {**PAYMENT, "paymentIntentId": "pi_2"}}),
    ("credits.purchase", {"paid": None, "failed": "declined"}),
    ("credits.clawback", {"purchaseId": USER}),
    ("credits.clawback", {"refund": {**REFUND, "id": "re_2"}}),
    ("credits.clawback", {"refund": {**REFUND, "amount": 201}}),
    ("credits.clawback", {"refund": {**REFUND, "state": "pending"}}),
    ("credits.clawback", {"refund": None, "dispute": DISPUTE}),
]
INDIFFERENT = [
    ("credits.use", {"description": "other"}),
    ("credits.use", {"idempotencyKey": "other"}),
    ("credits.use", {"userId": OTHER_USER}),
    ("credits.refund", {"description": "other"}),
    ("credits.grant", {"description": "other"}),
    ("credits.adjust", {"reason": "other", "description": "other"}),
    ("account.freeze", {"reason": "other"}),
    ("account.open", {"signupBonus": False}),
    ("credits.purchase", {"paid": {**PAYMENT, "checkoutSessionId": "cs_1"}}),
]


@pytest.mark.parametrize(("name", "change"), DECISIVE)
def test_what_makes_another_operation(name: str, change: dict[str, Any]) -> None:
    assert asked(name, **change) != asked(name)


@pytest.mark.parametrize(("name", "change"), INDIFFERENT)
def test_what_does_not(name: str, change: dict[str, Any]) -> None:
    assert asked(name, **change) == asked(name)


def test_types_differ() -> None:
    assert len({asked(name) for name in ALL}) == len(ALL)


def test_why_a_payment_failed_may_be_told_in_other_words() -> None:
    assert len({asked("credits.purchase", paid=None, failed=why) for why in ("declined", "expired")}) == 1


def test_times_are_compared_as_instants() -> None:
    same = [
        asked("credits.grant", expiresAt=text)
        for text in ("2027-01-01T00:00:00Z", "2027-01-01T02:00:00+02:00", "2026-12-31T19:00:00.000-05:00")
    ]
    assert len(set(same)) == 1
    assert asked("credits.grant", expiresAt="9999-01-01T00:00:00.000001Z") != asked(
        "credits.grant", expiresAt="9999-01-01T00:00:00.000002Z"
    )


def test_written_down() -> None:
    """It is stored with each transaction: another form would make every old key a conflict."""
    assert asked("credits.use") == '["credits.use",3,"chat",null,null,null]'
    grant = asked("credits.grant", expiresAt="2027-01-01T02:00:00+02:00")
    assert grant == '["credits.grant",5,null,null,"promotion","2027-01-01T00:00:00Z"]'
    six = "null,null,null,null,null"
    assert asked("account.threshold") == f'["account.threshold",{six},50]'
    bought = f'["credits.purchase",{six},"{OTHER_USER}",["paid",500,"eur","pi_1"]]'
    assert asked("credits.purchase") == bought
    assert asked("credits.clawback") == f'["credits.clawback",{six},"{OTHER_USER}",["refund","re_1",200,"succeeded"]]'
    won = {"refund": None, "dispute": {**DISPUTE, "state": "won"}}
    assert asked("credits.thaw", **won) == f'["credits.thaw",{six},"{OTHER_USER}",["dispute","dp_1",500,"won"]]'
