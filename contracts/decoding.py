"""From a message to a command, or to the reason why it is none. Total: no input raises.

The order of the checks is the contract's: readable and valid, then the routing key, then login and permission.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import msgspec
from msgspec import Raw, Struct

from contracts.commands import COMMANDS, NO_METADATA, Adjust, Command, Keyed
from contracts.errors import Error, FieldError, invalid, invalid_field
from contracts.fields import (
    COMMAND_BYTES_MAX,
    METADATA_BYTES_MAX,
    METADATA_DEPTH_MAX,
    AppId,
    IdempotencyKey,
    Uuid,
    is_reserved_key,
)
from contracts.permissions import Actor, Logins, authorise
from contracts.topology import DIRECT_REPLY_TO, is_ours

_DECODERS: Final[dict[str, msgspec.json.Decoder[Command]]] = {
    name: msgspec.json.Decoder(command) for name, command in COMMANDS.items()
}
_DIRECT_TOKEN: Final = re.compile(
    rf"{re.escape(DIRECT_REPLY_TO)}\.[A-Za-z0-9+/=_-]{{10,200}}\.[A-Za-z0-9+/=_-]{{10,100}}"
)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Envelope(Struct, frozen=True, kw_only=True):
    """A delivery's properties as text, ``None`` where none was set; ``login`` is the property ``user_id``."""

    routing_key: str
    type: str | None = None
    login: str | None = None
    content_encoding: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    message_id: str | None = None
    deadline: object = None
    traceparent: object = None
    redelivered: bool = False


class Accepted(Struct, frozen=True):
    """A command that may be put before the ledger."""

    command: Command
    actor: Actor
    deadline: datetime | None
    traceparent: str | None
    reply_to: str | None


class Rejected(Struct, frozen=True):
    """A message that is refused without asking the ledger.

    ``readable`` is false for what no command can be seen in: it is kept in ``credits.dead``. ``reply_to`` is where the
    refusal may be sent, if anywhere; ``user_id``, ``idempotency_key`` and ``app_id`` are set only where they are valid.
    """

    error: Error
    readable: bool
    reply_to: str | None
    command: str = "unknown"
    user_id: str | None = None
    idempotency_key: str | None = None
    app_id: str | None = None
    traceparent: str | None = None

    @property
    def keep(self) -> bool:
        """Whether a copy belongs in ``credits.dead``."""
        return not self.readable


def decode(envelope: Envelope, body: bytes, logins: Logins) -> Accepted | Rejected:
    """Reads a message and decides whether it is a command that its sender may give."""
    if not is_reply_address(envelope.reply_to):
        return Rejected(invalid_field("reply_to", "is no address that replies may be sent to"), False, None)
    command = _read(envelope, body)
    if isinstance(command, Rejected):
        return command
    problem = _problem(envelope, command, logins)
    if problem is not None:
        return _refuse(envelope, command, problem)
    actor = authorise(envelope.login, command, logins)
    if isinstance(actor, Error):
        return _refuse(envelope, command, actor)
    deadline = None if envelope.deadline is None else _moment(envelope.deadline)
    return Accepted(command, actor, deadline, _traceparent(envelope), envelope.reply_to)


def is_reply_address(reply_to: str | None) -> bool:
    """False for our own queues, for exchanges (``queue|exchange``), and for imitations of a direct reply-to token."""
    if reply_to is None:
        return True
    if reply_to.startswith(DIRECT_REPLY_TO):
        return _DIRECT_TOKEN.fullmatch(reply_to) is not None
    return bool(reply_to) and "|" not in reply_to and "\0" not in reply_to and not is_ours(reply_to)


def _read(envelope: Envelope, body: bytes) -> Command | Rejected:
    decoder = _DECODERS.get(envelope.type or "")
    if decoder is None:
        return _unreadable(envelope, invalid_field("type", "is no command that is known"))
    if envelope.content_encoding:
        return _unreadable(envelope, invalid_field("content_encoding", "must not be set"))
    if len(body) > COMMAND_BYTES_MAX:
        return _unreadable(envelope, invalid_field("body", f"is longer than {COMMAND_BYTES_MAX} bytes"))
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError) as error:
        return _explain(envelope, body, error)


def _explain(envelope: Envelope, body: bytes, error: Exception) -> Rejected:
    """Tells a body that cannot be read at all from one whose fields do not fit; only refused messages come here."""
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as unreadable:
        reason = "is nested too deeply" if isinstance(unreadable, RecursionError) else "is not JSON in UTF-8"
        return _unreadable(envelope, invalid_field("body", reason))
    if not isinstance(value, dict):
        return _unreadable(envelope, invalid_field("body", "is not an object"))
    fields: dict[str, Any] = value
    return Rejected(
        _field_error(fields, error),
        True,
        envelope.reply_to,
        command=envelope.type or "unknown",
        user_id=_valid(fields, "userId"),
        idempotency_key=_valid(fields, "idempotencyKey"),
        app_id=_valid(fields, "appId"),
        traceparent=_traceparent(envelope),
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_PATH: Final = re.compile(r"^(?P<message>.*) - at `\$\.?(?P<path>.*)`$", re.DOTALL)
_NAMED: Final = re.compile(
    r"^Object (?P<what>contains unknown field|missing required field) `(?P<field>.*)`$", re.DOTALL
)


def _field_error(fields: dict[str, Any], error: Exception) -> Error:
    """Names the field that msgspec complained of; its messages have no other structure."""
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        if found := _NAMED.match(text.split(" - at ", maxsplit=1)[0]):
            unknown = found["what"] == "contains unknown field"
            return invalid_field(_printable(found["field"]), "is not known" if unknown else "is required")
        if found := _PATH.match(text):
            return invalid_field(_printable(found["path"]), _printable(found["message"]))
        return invalid_field("body", _printable(text))
    wrong = [name for name, value in fields.items() if any(_SURROGATE.search(part) for part in _strings(value))]
    problems = [FieldError(_printable(name), "holds a lone surrogate") for name in wrong]
    return invalid(*problems) if problems else invalid_field("body", "holds a value that is out of range")


def _printable(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text.replace("\0", "\ufffd"))[:200]


def _strings(value: Any) -> Iterator[str]:
    """Every string inside a JSON value, names of members included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        members: dict[str, Any] = value
        for name, member in members.items():
            yield name
            yield from _strings(member)
    elif isinstance(value, list):
        items: list[Any] = value
        for item in items:
            yield from _strings(item)


_IDENTIFYING: Final[dict[str, Any]] = {"userId": Uuid, "idempotencyKey": IdempotencyKey, "appId": AppId}


def _valid(fields: dict[str, Any], name: str) -> str | None:
    """The field's text if it fits the contract, so that it may be copied into an event."""
    value = fields.get(name)
    if not isinstance(value, str):
        return None
    try:
        msgspec.convert(value, _IDENTIFYING[name])
    except msgspec.ValidationError:
        return None
    return None if "\0" in value or _SURROGATE.search(value) else value


def _problem(envelope: Envelope, command: Command, logins: Logins) -> Error | None:
    """What a schema cannot say; ``None`` where all is well."""
    if _takes_our_key(command) and not logins.may_use_reserved_keys(envelope.login):
        return invalid_field("idempotencyKey", "begins with a prefix that is reserved")
    if isinstance(command, Adjust) and command.amount == 0:
        return invalid_field("amount", "must not be 0")
    problem = _text_problem(command) or _metadata_problem(command)
    if problem is not None:
        return problem
    if envelope.deadline is not None and _moment(envelope.deadline) is None:
        return invalid_field("deadline", "is not a time of RFC 3339")
    if envelope.routing_key != command.user_id:
        return invalid_field("userId", "is another user than the routing key's")
    return None


def _takes_our_key(command: Command) -> bool:
    return isinstance(command, Keyed) and is_reserved_key(command.idempotency_key)


def _text_problem(command: Command) -> Error | None:
    for name, wire_name in (
        ("idempotency_key", "idempotencyKey"),
        ("description", "description"),
        ("reason", "reason"),
    ):
        text = getattr(command, name, None)
        if text is not None and "\0" in text:
            return invalid_field(wire_name, "holds the character NUL")
    return None


def _metadata_problem(command: Command) -> Error | None:
    raw: Raw = getattr(command, "metadata", NO_METADATA)
    if raw is NO_METADATA:
        return None
    text = bytes(raw)
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return invalid_field("metadata", "holds text or a number that JSON readers do not agree on")
    if value is None:
        return None
    if not isinstance(value, dict):
        return invalid_field("metadata", "is not an object")
    if len(compact(raw)) > METADATA_BYTES_MAX:
        return invalid_field("metadata", f"is longer than {METADATA_BYTES_MAX} bytes")
    if b"\\u0000" in text and any("\0" in part for part in _strings(value)):
        return invalid_field("metadata", "holds the character NUL")
    if text.count(b"{") + text.count(b"[") > METADATA_DEPTH_MAX and _depth(value) > METADATA_DEPTH_MAX:
        return invalid_field("metadata", f"is nested deeper than {METADATA_DEPTH_MAX} levels")
    return None


def _depth(value: Any) -> int:
    """Levels of nesting, found without recursion."""
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            member
            for container in level
            if isinstance(container, dict | list)
            for member in (container.values() if isinstance(container, dict) else container)
        ]
    return deepest - 1


def compact(raw: Raw) -> bytes:
    """A JSON value without the space between its parts; numbers and text stay as they were written."""
    return msgspec.json.format(bytes(raw), indent=-1)


def _moment(value: object) -> datetime | None:
    """An RFC 3339 time with its offset, in UTC; ``None`` for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = msgspec.convert(value, datetime)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError, ValueError):
        return None


def _traceparent(envelope: Envelope) -> str | None:
    """The trace context where it has its shape (w3.org/TR/trace-context); else it is left behind."""
    value = envelope.traceparent
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def _unreadable(envelope: Envelope, error: Error) -> Rejected:
    return Rejected(error, False, envelope.reply_to, traceparent=_traceparent(envelope))


def _refuse(envelope: Envelope, command: Command, error: Error) -> Rejected:
    return Rejected(
        error,
        True,
        envelope.reply_to,
        command=command.type,
        user_id=command.user_id,
        idempotency_key=_clean(getattr(command, "idempotency_key", None)),
        app_id=getattr(command, "app_id", None),
        traceparent=_traceparent(envelope),
    )


def _clean(key: str | None) -> str | None:
    return None if key is None or "\0" in key else key
