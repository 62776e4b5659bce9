"""Goal: the published schemas are current, are schemas, and say the same as the code that reads and writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from contracts import schemas
from contracts.asyncapi import asyncapi_document
from contracts.decoding import Accepted, Envelope, decode
from contracts.errors import Error, invalid_field
from contracts.events import encode_event, low_event, transaction_event
from contracts.moments import read_moment
from contracts.permissions import Logins
from contracts.replies import BalanceRead, Done, Refused, Reply, encode_reply
from contracts.schema_documents import EVENT_TYPES, PUBLIC_COMMANDS
from contracts.user_events import USER_EVENTS
from tests.unit.contracts.examples import INVALID, USER, VALID, Case, body_of
from tests.unit.contracts.test_events import TRACEPARENT, happened_to_user, refused_with, topup_failed
from tests.unit.contracts.test_replies import BALANCE, USAGE

FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time")
def is_moment(value: object) -> bool:
    return not isinstance(value, str) or read_moment(value) is not None


def held(name: str) -> dict[str, Any]:
    return json.loads((schemas.FOLDER / f"{name}.json").read_text())


def fits(name: str, value: Any) -> bool:
    return Draft202012Validator(held(name), format_checker=FORMATS).is_valid(value)


def by_name(case: Case) -> str:
    return case.name


def test_the_files_are_current() -> None:
    assert schemas.outdated() == []
    assert schemas.main(["--check"]) == 0


def test_check_says_what_is_outdated(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schemas, "FOLDER", tmp_path / "schemas")
    assert schemas.main([]) == 0
    assert schemas.main(["--check"]) == 0
    (tmp_path / "schemas" / "credits.use.json").write_text("{}")
    (tmp_path / "schemas" / "credits.lend.json").write_text("{}")
    assert schemas.main(["--check"]) == 1
    assert "credits.lend.json, credits.use.json" in capsys.readouterr().err
    assert schemas.main([]) == 0
    assert not (tmp_path / "schemas" / "credits.lend.json").exists()


@pytest.mark.parametrize("path", sorted(schemas.FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_every_file_is_a_schema(path: Any) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text()))


@pytest.mark.parametrize("case", [*VALID, *INVALID], ids=by_name)
def test_schema_and_decoding_agree(case: Case) -> None:
    body = body_of(case)
    envelope = Envelope(routing_key=USER, type=case.type, login="mana-admin")
    decoded = isinstance(decode(envelope, json.dumps(body).encode(), Logins()), Accepted)
    assert decoded == (case.field is None)
    if case.in_schema:
        assert fits(case.type, body) == decoded
    else:
        assert fits(case.type, body), "the table says that the schema cannot tell, but it can"


def test_metadata_and_times_in_the_schema() -> None:
    (properties,) = (part["properties"] for part in held("credits.grant")["$defs"].values())
    assert properties["metadata"]["type"] == ["object", "null"]
    assert properties["expiresAt"]["anyOf"][0]["format"] == "date-time"


REPLIES: list[Reply] = [
    Done(USAGE, BALANCE),
    Done(None, BALANCE, replayed=True),
    BalanceRead(BALANCE),
    Refused(Error("forbidden", "no")),
    Refused(invalid_field("amount", "is required")),
]


@pytest.mark.parametrize("reply", REPLIES)
def test_replies_fit(reply: Reply) -> None:
    written = json.loads(encode_reply(reply))
    assert fits("credits.result", written)
    for field in written.keys() & {"ok", "balance", "error"}:
        assert not fits("credits.result", {name: value for name, value in written.items() if name != field})


def test_events_fit_their_own_schema_and_no_other() -> None:
    used = json.loads(encode_event(transaction_event(USAGE, BALANCE, TRACEPARENT)))
    bonus = msgspec.structs.replace(USAGE, type="bonus", app_id=None)
    granted = json.loads(encode_event(transaction_event(bonus, BALANCE, None)))
    refused = json.loads(encode_event(refused_with()))
    failed = json.loads(encode_event(topup_failed()))
    low = json.loads(encode_event(low_event(USAGE, BALANCE, 150, None)))
    of_users = [json.loads(encode_event(happened_to_user(name))) for name in USER_EVENTS]
    for event in (used, granted, refused, failed, low, *of_users):
        assert [name for name in EVENT_TYPES if fits(f"event.{name}", event)] == [event["type"]]
    assert not fits("event.credits.used", {name: value for name, value in used.items() if name != "sequence"})


def test_asyncapi_references_lead_somewhere() -> None:
    document = asyncapi_document()
    for reference in set(references(document)):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def test_asyncapi_holds_every_command_and_event() -> None:
    document = asyncapi_document()
    assert document["operations"].keys() == {*PUBLIC_COMMANDS, *(f"event.{name}" for name in EVENT_TYPES)}
    assert document["channels"]["commands"]["messages"].keys() == PUBLIC_COMMANDS.keys()
    assert not {"Expire", "Buy", "ClawBack", "Thaw"} & document["components"]["schemas"].keys()
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_asyncapi_keeps_headers_and_properties_apart() -> None:
    messages = asyncapi_document()["components"]["messages"]
    for name, message in messages.items():
        properties = message["x-amqp-properties"]["properties"]
        headers = message.get("headers", {}).get("properties", {})
        assert properties["type"]["const"] == message["bindings"]["amqp"]["messageType"] == message["name"], name
        assert headers.keys() <= {"deadline", "traceparent"}
    assert messages["credits.use"]["headers"]["properties"].keys() == {"deadline", "traceparent"}
    assert "message_id" in messages["event.credits.used"]["x-amqp-properties"]["required"]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        members: dict[str, Any] = part
        for name, value in members.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)
