"""`events.md`: the event types, and what may change in them."""

from __future__ import annotations

import json
from typing import Final

from contracts.events import MEANINGS, OF_TRANSACTIONS, EventType
from contracts.schema_documents import EVENT_TYPES
from ops.contract.forms import Json
from ops.contract.pages.amqp import example_event

_HEAD: Final = """\
# Event types

Generated: `.venv/bin/python -m ops.contract write` writes this page anew. How to subscribe is in
[guides/events.md](../guides/events.md).

An event is a CloudEvent 1.0 in JSON. Its AMQP property `type` and its field `type` name what happened. Skip a type that
you do not know.

| type | means | `sequence` | schema |
| --- | --- | --- | --- |
"""
_RULES: Final = """
`sequence` counts one user's transactions from 1 without a gap. An event without it tells of no transaction.

## What may change without notice

- New types of events.
- New fields, anywhere in an event. Skip those that you do not know.
- New values where a schema says `"x-open": true` beside an `enum`: kinds of transactions, reasons of a session's
  end, and error codes.
- The words of `description` and of an error's `message`: they are for people.
- The order of fields, and blanks between them.
- How far apart in time what happened and its event are, and how often an event is repeated.

## What does not change

- A type keeps its name and its meaning, and goes on being sent.
- A field keeps its name, its meaning and its type. What was always there stays always there.
- A field that could not be `null` does not become so, and an `enum` without `x-open` gets no new values.
- The same happening has the same `id`, however often it is sent. `sequence` stays without a gap.
- Events with a `sequence` come in order for each user, and no event before what it tells of is durable.
- The routing key stays `EVENT.APP`.

A check holds all schemas against those of the last release, and refuses what breaks them
([decision 0027](../decisions/0027-what-breaks-the-contract.md)).
"""


def page(asyncapi: Json) -> str:
    """Markdown."""
    rows = [
        f"| [`{event}`](#{event.replace('.', '')}) | {MEANINGS[event].means} |"
        f" {'yes' if event in OF_TRANSACTIONS else 'no'} |"
        f" [`event.{event}.json`](../../contracts/schemas/event.{event}.json) |\n"
        for event in EVENT_TYPES
    ]
    return "".join([_HEAD, *rows, _RULES, *(_section(event, asyncapi) for event in EVENT_TYPES)])


def _section(event: EventType, asyncapi: Json) -> str:
    meaning = MEANINGS[event]
    example = json.dumps(example_event(asyncapi, event), indent=1, ensure_ascii=False)
    return f"\n## {event}\n\n{meaning.means}\n\nSent: {meaning.when}\n\n```json\n{example}\n```\n"
