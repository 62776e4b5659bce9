"""Goal: every message becomes a command, or a refusal that names its field, in the contract's order of checks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from contracts.commands import COMMANDS, NO_METADATA, Open, Use
from contracts.decoding import Accepted, Envelope, Rejected, decode
from contracts.metadata import compact
from contracts.permissions import Logins
from tests.unit.contracts.examples import (
    DISPUTE,
    INVALID,
    MINIMAL,
    OF_PAYMENTS,
    OTHER_USER,
    PAYMENT,
    REFUND,
    TOKEN,
    USE,
    USER,
    VALID,
    Case,
    body_of,
)

LOGINS = Logins()
ADMIN = "mana-admin"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def read(body: Any, type_: str | None = "credits.use", **properties: Any) -> Accepted | Rejected:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given: dict[str, Any] = {"routing_key": USER, "type": type_, "login": ADMIN, **properties}
    return decode(Envelope(**given), raw, LOGINS)


def accepted(*arguments: Any, **properties: Any) -> Accepted:
    decoded = read(*arguments, **properties)
    assert isinstance(decoded, Accepted), decoded
    return decoded


def rejected(*arguments: Any, **properties: Any) -> Rejected:
    decoded = read(*arguments, **properties)
    assert isinstance(decoded, Rejected), decoded
    return decoded


def named(refusal: Rejected) -> list[str]:
    assert refusal.error.code == "invalid_request"
    assert refusal.error.details.keys() == {"errors"}
    return [problem["field"] for problem in refusal.error.details["errors"]]


def by_name(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", VALID, ids=by_name)
def test_valid_bodies_are_commands(case: Case) -> None:
    decoded = accepted(body_of(case), case.type)
    assert type(decoded.command) is COMMANDS[case.type]


@pytest.mark.parametrize("case", INVALID, ids=by_name)
def test_invalid_bodies_are_refused_and_their_field_is_named(case: Case) -> None:
    body = body_of(case)
    routed = body.get("userId", USER)
    refusal = rejected(body, case.type, routing_key=routed if isinstance(routed, str) else USER, reply_to="replies")
    assert named(refusal) == [case.field]
    assert refusal.readable
    assert not refusal.keep
    assert (refusal.command, refusal.reply_to) == (case.type, "replies")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"userId": USER.upper()}, "must be a UUID in lower case"),
        ({"userId": "u-1"}, "must be a UUID in lower case"),
        ({"userId": 7}, "must be a string"),
        ({"appId": "my app"}, "must be 1 to 64 of A-Z a-z 0-9 _ -"),
    ],
)
def test_a_pattern_is_told_in_words(change: dict[str, Any], message: str) -> None:
    (problem,) = rejected({**USE, **change}).error.details["errors"]
    assert problem["message"] == message


def test_a_use_is_read_whole() -> None:
    decoded = accepted(
        USE, login="chat", reply_to=TOKEN, deadline="2026-01-02T03:04:05.5+01:00", traceparent=TRACEPARENT
    )
    command = decoded.command
    assert isinstance(command, Use)
    assert (command.user_id, command.amount, command.app_id) == (USER, 3, "chat")
    assert bytes(command.metadata) == b'{"model": "x"}'
    assert decoded.actor.app_id == "chat"
    assert decoded.deadline == datetime(2026, 1, 2, 2, 4, 5, 500_000, tzinfo=UTC)
    assert (decoded.traceparent, decoded.reply_to) == (TRACEPARENT, TOKEN)


def test_what_is_left_out_has_its_default() -> None:
    assert accepted(MINIMAL["credits.use"]).command.metadata is NO_METADATA  # type: ignore[union-attr]
    opened = accepted(MINIMAL["account.open"], "account.open").command
    assert isinstance(opened, Open)
    assert opened.signup_bonus


def test_every_misfit_is_named_at_once_up_to_a_bound() -> None:
    refusal = rejected({"userId": USER, "amount": "3", "appId": "a b", "zeal": 1})
    assert named(refusal) == ["idempotencyKey", "amount", "appId", "description", "zeal"]
    assert all(problem["field"] in refusal.error.message for problem in refusal.error.details["errors"])
    assert len(named(rejected({f"f{number}": 1 for number in range(5_000)}))) == 20


UNREADABLE = {
    "empty": b"",
    "blank": b"  ",
    "no JSON": b"hello",
    "cut off": json.dumps(USE).encode()[:-1],
    "two values": b"{}{}",
    "a list": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "a number": b"3",
    "NaN": b'{"amount": NaN}',
    "Infinity": b'{"amount": -Infinity}',
    "a comment": b"{} // x",
    "a comma too many": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "no UTF-8": b'{"description": "\xff"}',
    "a surrogate in UTF-8": b'{"description": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"description": "\xc0\x80"}',
    "UTF-16": json.dumps(USE).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(USE).encode(),
    "NUL between": b"{\0}",
    "deep lists": b"[" * 60_000,
    "deep objects": b'{"a":' * 10_000,
    "30 000 levels, closed": b"[" * 30_000 + b"]" * 30_000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_bodies_are_kept_and_answered(body: bytes) -> None:
    refusal = rejected(body, reply_to="replies")
    assert named(refusal) == ["body"]
    assert refusal.keep
    assert refusal.reply_to == "replies"


def test_metadata_nested_beyond_any_reader_is_refused() -> None:
    body = json.dumps(USE).encode().replace(b'{"model": "x"}', b'{"a":' * 5_000 + b"1" + b"}" * 5_000)
    assert named(rejected(body)) in (["metadata"], ["body"])


def test_numbers_that_readers_do_not_agree_on() -> None:
    minimal = json.dumps(MINIMAL["credits.use"]).encode()[:-1]
    assert named(rejected(minimal + b', "metadata": {"a": 1e400}}')) == ["metadata"]
    assert named(rejected(minimal + b', "metadata": {"a": 1' + b"0" * 5_000 + b"}}")) == ["metadata"]
    assert named(rejected(minimal.replace(b'"amount": 3', b'"amount": 1e400') + b"}")) == ["amount"]
    assert named(rejected(minimal.replace(b'"amount": 3', b'"amount": 1' + b"0" * 5_000) + b"}")) == ["amount"]


def test_size() -> None:
    """64 KiB are read, one byte more is not."""
    body = json.dumps(USE).encode()
    assert accepted(body + b" " * (64 * 1024 - len(body)))
    refusal = rejected(body + b" " * (64 * 1024 - len(body) + 1))
    assert named(refusal) == ["body"]
    assert refusal.keep


@pytest.mark.parametrize("type_", [None, "", "credits.Use", "credits.use ", "credits.usé", "x" * 255, "\ud800", "\0"])
def test_unknown_types(type_: str | None) -> None:
    refusal = rejected(USE, type_, reply_to="replies")
    assert named(refusal) == ["type"]
    assert refusal.keep
    assert refusal.command == "unknown"


def test_content_encoding() -> None:
    assert named(rejected(USE, content_encoding="gzip")) == ["content_encoding"]
    assert rejected(USE, content_encoding="gzip").keep
    assert accepted(USE, content_encoding="")


@pytest.mark.parametrize("reply_to", ["credits.dead", "q|exchange", "amq.rabbitmq.reply-to", TOKEN[:-1], "amq.topic"])
def test_hostile_reply_addresses_are_answered_nowhere_and_kept(reply_to: str) -> None:
    for body in (USE, b"", {}):
        refusal = rejected(body, reply_to=reply_to)
        assert named(refusal) == ["reply_to"]
        assert refusal.reply_to is None
        assert refusal.keep


def test_an_empty_reply_address_asks_for_no_reply() -> None:
    assert accepted(USE, reply_to="").reply_to is None
    assert rejected(b"", reply_to="").reply_to is None


DEADLINES = ("", "soon", "2026-01-01", "2026-01-01T00:00:00", 1_700_000_000, 1.5, b"2026-01-01T00:00:00Z", True, [], {})


@pytest.mark.parametrize("deadline", DEADLINES, ids=repr)
def test_malformed_deadlines(deadline: object) -> None:
    assert named(rejected(USE, deadline=deadline)) == ["deadline"]


def test_a_past_deadline_is_the_ledgers_to_judge() -> None:
    assert accepted(USE, deadline="1970-01-01T00:00:00Z").deadline == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "traceparent",
    [
        "x",
        b"bytes",
        5,
        TRACEPARENT.upper(),
        TRACEPARENT + "\n",
        TRACEPARENT.replace("00-4", "ff-4"),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
)
def test_a_malformed_trace_context_is_left_behind(traceparent: object) -> None:
    assert accepted(USE, traceparent=traceparent).traceparent is None
    assert rejected({}, traceparent=traceparent).traceparent is None


@pytest.mark.parametrize("name", ["correlation_id", "message_id"])
@pytest.mark.parametrize("value", ["a\0b", "\ud800", "é" * 128, "x" * 256])
def test_properties_that_could_not_be_passed_on(name: str, value: str) -> None:
    assert named(rejected(USE, **{name: value})) == [name]
    assert accepted(USE, **{name: "é" * 127})


def test_routing_key_comes_after_validity_and_before_rights() -> None:
    wrong = {"routing_key": OTHER_USER, "login": None}
    assert named(rejected({**USE, "amount": 0}, **wrong)) == ["amount"]
    assert named(rejected(USE, deadline="soon", **wrong)) == ["deadline"]
    assert named(rejected({**USE, "idempotencyKey": "daily:1"}, **wrong)) == ["idempotencyKey"]
    refusal = rejected(USE, **wrong)
    assert named(refusal) == ["userId"]
    assert "routing key" in refusal.error.message
    assert rejected(USE, login=None).error.code == "forbidden"


def test_reserved_keys_are_our_processes_own() -> None:
    body = {**MINIMAL["account.open"], "idempotencyKey": "mana:open"}
    assert named(rejected(body, "account.open", login=ADMIN)) == ["idempotencyKey"]
    assert accepted(body, "account.open", login="mana-front")
    assert accepted(body, "account.open", login="mana-worker")


def test_a_refusal_passes_on_only_what_is_valid() -> None:
    refusal = rejected({**USE, "amount": 0}, traceparent=TRACEPARENT)
    assert (refusal.user_id, refusal.idempotency_key, refusal.app_id) == (USER, "req-81", "chat")
    assert refusal.traceparent == TRACEPARENT
    spoilt = rejected({**USE, "userId": "x", "idempotencyKey": "a\0", "appId": "\ud800"}, routing_key="y")
    assert (spoilt.user_id, spoilt.idempotency_key, spoilt.app_id) == (None, None, None)
    assert rejected({**USE, "idempotencyKey": "a\0"}).idempotency_key is None


def test_a_refusal_is_the_routing_keys_users_where_the_body_names_none() -> None:
    assert rejected({}, routing_key=OTHER_USER).user_id == OTHER_USER


def test_a_refusal_that_nobody_could_be_told_of_is_kept() -> None:
    assert rejected({}, routing_key="x").keep
    assert not rejected({}, routing_key="x", reply_to="replies").keep
    assert not rejected({}, routing_key=USER).keep


def test_compact_metadata_is_the_same_value_in_fewer_bytes() -> None:
    written = b' { "a\\u00e9" : [ 1.10 , 1e5, "\\ud83d\\ude00\\n\\"\\/" ] } '
    assert compact(msgspec.Raw(written)) == '{"aé":[1.10,1e5,"\U0001f600\\n\\"/"]}'.encode()


def test_twice_the_same_member_means_the_last_as_in_most_readers() -> None:
    body = json.dumps(MINIMAL["credits.use"]).encode()[:-1] + b', "amount": 7}'
    command = accepted(body).command
    assert isinstance(command, Use)
    assert command.amount == 7


OURS = "mana-worker"


@pytest.mark.parametrize("name", OF_PAYMENTS)
def test_what_is_told_of_payments_is_a_command_from_our_own_login_alone(name: str) -> None:
    assert accepted(OF_PAYMENTS[name], name, login=OURS).actor.origin == "system"
    for login in (ADMIN, "mana-front", "chat"):
        refusal = rejected({**OF_PAYMENTS[name], "idempotencyKey": "k"}, name, login=login)
        assert refusal.error.code == "forbidden"


@pytest.mark.parametrize(
    ("name", "change", "field"),
    [
        ("credits.purchase", {"paid": None}, "paid"),
        ("credits.purchase", {"failed": "declined"}, "paid"),
        ("credits.purchase", {"paid": {**PAYMENT, "amount": 0}}, "paid"),
        ("credits.purchase", {"paid": {**PAYMENT, "currency": "EUR"}}, "paid"),
        ("credits.purchase", {"paid": {**PAYMENT, "paymentIntentId": "pi 1"}}, "paid"),
        ("credits.purchase", {"paid": {**PAYMENT, "colour": "red"}}, "paid"),
        ("credits.purchase", {"purchaseId": "1"}, "purchaseId"),
        ("credits.clawback", {"refund": None}, "refund"),
        ("credits.clawback", {"dispute": DISPUTE}, "refund"),
        ("credits.clawback", {"refund": {**REFUND, "state": "failed"}}, "refund"),
        ("credits.clawback", {"refund": None, "dispute": {**DISPUTE, "state": "won"}}, "dispute"),
        ("credits.thaw", {"refund": REFUND}, "refund"),
        ("credits.thaw", {"refund": None, "dispute": DISPUTE}, "dispute"),
    ],
)
def test_a_fact_of_a_payment_that_cannot_be_one(name: str, change: dict[str, Any], field: str) -> None:
    assert named(rejected({**OF_PAYMENTS[name], **change}, name, login=OURS)) == [field]
