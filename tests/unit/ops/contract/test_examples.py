"""Goal: every example that a page shows is one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from contracts import schemas
from contracts.asyncapi import asyncapi_document
from contracts.events import EventType, decode_event
from contracts.schema_documents import EVENT_TYPES
from ops.contract import documents
from ops.contract.examples import Examples, NoExample
from ops.contract.pages.amqp import example_event


def rest_schemas() -> Iterator[tuple[str, Any]]:
    """Bodies that are sent, and answers that come."""
    document = json.loads((documents.FOLDER / "openapi.json").read_text())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            contents = [operation.get("requestBody", {}).get("content", {})]
            contents += [answer.get("content", {}) for answer in operation["responses"].values()]
            for content in contents:
                for part in content.values():
                    yield f"{method} {path}", {**part["schema"], "components": document["components"]}


def test_of_all_files() -> None:
    for path in sorted(schemas.FOLDER.glob("*.json")):
        schema = json.loads(path.read_text())
        Draft202012Validator(schema).validate(Examples(schema).of(schema))


def test_of_all_of_rest() -> None:
    every = list(rest_schemas())
    assert len(every) > 100
    for name, schema in every:
        problems = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(Examples(schema).of(schema))
        assert [problem.message for problem in problems] == [], name


@pytest.mark.parametrize("event", EVENT_TYPES)
def test_of_events(event: EventType) -> None:
    page = (documents.FOLDER / "events.md").read_text().partition(f"\n## {event}\n")[2]
    block = re.search(r"```json\n(.*?)\n```", page, re.DOTALL)
    assert block is not None
    shown = decode_event(block[1].encode())
    assert shown == example_event(asyncapi_document(), event)
    Draft202012Validator(json.loads((schemas.FOLDER / f"event.{event}.json").read_text())).validate(shown)
    if "transaction" in shown["data"]:
        told = shown["data"]["transaction"]
        assert told["balanceBefore"] + told["amount"] == told["balanceAfter"]


def test_a_pattern_that_no_word_fits_names_the_field() -> None:
    schema = {"type": "object", "properties": {"wish": {"type": "string", "pattern": "^never-[0-9]{40}$"}}}
    with pytest.raises(NoExample, match="'wish'"):
        Examples(schema).of(schema)
