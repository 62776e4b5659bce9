"""JSON Schemas (2020-12) of what crosses the broker, made from the very types that read and write it."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import NODEFAULT, Struct

from contracts.commands import COMMANDS, OUR_OWN, Command
from contracts.errors import REST_STATUS, ErrorCode, LedgerErrorCode
from contracts.events import OF_TRANSACTIONS, Event, EventType, LowData, RefusedData, TopupFailedData, TransactionData
from contracts.replies import REPLY_TYPE, BalanceReadBody, DoneBody, RefusedBody
from contracts.user_events import DATA_OF

Json = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PUBLIC_COMMANDS: Final[dict[str, type[Command]]] = {
    name: command for name, command in COMMANDS.items() if command not in OUR_OWN
}
"""What clients may send; the others are between our own processes."""
EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
_OTHER_DATA: Final[dict[EventType, type[Struct]]] = {
    "credits.refused": RefusedData,
    "credits.topup_failed": TopupFailedData,
    "credits.low": LowData,
    **DATA_OF,
}
"""What is told where there is no transaction."""
_OPTIONAL: Final = frozenset({"traceparent"})
"""What is left out where it is not known; every other field of replies and events is always there."""


def components(ref_template: str) -> dict[str, Json]:
    """Every schema by its name, commands, replies and events with all that they refer to."""
    commands = list(PUBLIC_COMMANDS.values())
    inwards = msgspec.json.schema_components(commands, ref_template=ref_template)[1]
    outwards = msgspec.json.schema_components(
        [DoneBody, BalanceReadBody, RefusedBody, *map(event_model, EVENT_TYPES)], ref_template=ref_template
    )[1]
    return {**{name: _always_complete(schema) for name, schema in outwards.items()}, **inwards}


def command_document(name: str) -> Json:
    """The schema of one command's body."""
    return _document(name, PUBLIC_COMMANDS[name].__name__)


def reply_document() -> Json:
    """The schema of a reply's body."""
    return _document(REPLY_TYPE, DoneBody.__name__, BalanceReadBody.__name__, RefusedBody.__name__)


def event_document(event: EventType) -> Json:
    """The schema of one event's body."""
    return _document(f"event.{event}", event_model(event).__name__)


def error_codes_document() -> Json:
    """The error codes, each with its status over REST, and whether it also comes over AMQP."""
    over_amqp = frozenset(get_args(LedgerErrorCode))
    codes: tuple[ErrorCode, ...] = (
        *get_args(LedgerErrorCode),
        *(code for code in REST_STATUS if code not in over_amqp),
    )
    return {
        "$schema": DIALECT,
        "$id": "error-codes.json",
        "title": "The code of an error",
        "enum": list(codes),
        "x-open": True,
        "x-codes": {code: {"restStatus": REST_STATUS[code], "amqp": code in over_amqp} for code in codes},
    }


def event_model(event: EventType) -> type[Struct]:
    """``Event`` narrowed to one type: its name, its data, and a sequence where there is a transaction."""
    of_transaction = event in OF_TRANSACTIONS
    narrowed: dict[str, Any] = {"type": Literal[event], "data": _OTHER_DATA.get(event, TransactionData)}
    if of_transaction:
        narrowed["sequence"] = int
    fields = [
        (field.name, narrowed.get(field.name, field.type))
        if field.name in narrowed or field.default is NODEFAULT
        else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(Event)
        if of_transaction or field.name != "sequence"
    ]
    required_first = sorted(fields, key=len)
    return msgspec.defstruct(_event_name(event), required_first, namespace={"__doc__": f"The event ``{event}``."})


def _event_name(event: EventType) -> str:
    return "".join(part.capitalize() for part in event.replace("_", ".").split("."))


def _always_complete(schema: Json) -> Json:
    """A schema of what we write: no field is left out of it, so none has a default."""
    properties: dict[str, Json] = schema.get("properties", {})
    bare = {name: {key: value for key, value in part.items() if key != "default"} for name, part in properties.items()}
    return {**schema, "properties": bare, "required": [name for name in bare if name not in _OPTIONAL]}


def _document(name: str, *models: str) -> Json:
    """A file of its own: one of the models, and what they refer to."""
    template = "#/$defs/{name}"
    everything = components(template)
    references = [{"$ref": template.format(name=model)} for model in models]
    body = references[0] if len(references) == 1 else {"anyOf": references}
    return {"$schema": DIALECT, "$id": f"{name}.json", "title": name, **body, "$defs": _reached(models, everything)}


def _reached(models: tuple[str, ...], everything: dict[str, Json]) -> dict[str, Json]:
    reached: dict[str, Json] = {}
    waiting = list(models)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = everything[name]
            waiting.extend(_references(everything[name]))
    return dict(sorted(reached.items()))


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for part in schema for name in _references(part)]
    if not isinstance(schema, dict):
        return []
    members: Json = schema
    own = [str(members["$ref"]).rpartition("/")[2]] if "$ref" in members else []
    return own + [name for part in members.values() for name in _references(part)]
