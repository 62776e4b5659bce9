"""From a message to a command, or to the reason why it is none. Total: no input raises.

The order of the checks is the contract's: readable and valid, then the routing key, then login and permission.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from contracts.addresses import is_reply_address
from contracts.apps import NO_APPS, Apps
from contracts.commands import COMMANDS, NO_METADATA, Adjust, Buy, ClawBack, Command, Grant, Keyed, Thaw
from contracts.errors import Error, FieldError, invalid, invalid_field
from contracts.explaining import field_problems, read_object, valid_text
from contracts.fields import COMMAND_BYTES_MAX, is_reserved_key
from contracts.metadata import metadata_problem
from contracts.moments import in_utc, read_moment
from contracts.permissions import Actor, Logins, authorise, may_be_answered_at
from contracts.text import ESCAPED_NUL, text_problem
from contracts.trace_context import read as read_traceparent

__all__ = ["Accepted", "Envelope", "Rejected", "decode", "is_answerable"]

_DECODERS: Final[dict[str, msgspec.json.Decoder[Command]]] = {
    name: msgspec.json.Decoder(command) for name, command in COMMANDS.items()
}
_SHORT_BYTES_MAX: Final = 255
"""As long as AMQP's short strings may be: what is longer came in by no AMQP, and could not go out by it."""


class Envelope(Struct, frozen=True, kw_only=True):
    """A delivery's properties as text, ``None`` where none was set; ``login`` is the property ``user_id``.

    ``deadline``, ``traceparent``, ``on_behalf`` (``mana-app``), ``sender`` and ``kept_since``
    (``contracts.dead_letters``) are headers, so they may be of any type.
    """

    routing_key: str
    type: str | None = None
    login: str | None = None
    content_encoding: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    message_id: str | None = None
    deadline: object = None
    traceparent: object = None
    on_behalf: object = None
    sender: object = None
    kept_since: object = None
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

    ``readable`` is false for what no command can be seen in. ``reply_to`` is where the refusal may be sent, if
    anywhere. ``user_id`` is the body's or else the routing key's; it, ``idempotency_key`` and ``app_id`` are set only
    where they are valid, so that they may be copied into an event.
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
        """Whether a copy belongs in ``credits.dead``: what is unreadable, and what nobody could be told of."""
        return not self.readable or (self.reply_to is None and self.user_id is None)


def decode(
    envelope: Envelope,
    body: bytes,
    logins: Logins,
    reply_nodes: Collection[int] | None = None,
    apps: Apps = NO_APPS,
) -> Accepted | Rejected:
    """Reads a message and decides whether it is a command that its sender may give, ``apps`` being registered.

    ``reply_nodes`` is for brokers that forged direct reply-to tokens hurt: see ``contracts.addresses``.
    """
    if not is_answerable(envelope, logins, reply_nodes, apps):
        return Rejected(invalid_field("reply_to", "is no address that replies may be sent to"), False, None)
    command = _read(envelope, body)
    if isinstance(command, Rejected):
        return command
    problem = _problem(envelope, body, command, logins)
    if problem is not None:
        return _refuse(envelope, command, invalid(problem))
    actor = authorise(envelope.login, command, logins, apps, envelope.on_behalf)
    if isinstance(actor, Error):
        return _refuse(envelope, command, actor)
    deadline = None if envelope.deadline is None else read_moment(envelope.deadline)
    return Accepted(command, actor, deadline, read_traceparent(envelope.traceparent), envelope.reply_to or None)


def is_answerable(envelope: Envelope, logins: Logins, reply_nodes: Collection[int] | None, apps: Apps) -> bool:
    """Whether a reply may be sent to where the message wants it, if anywhere: a real address, and its sender's own."""
    reply_to = envelope.reply_to
    return is_reply_address(reply_to, reply_nodes) and may_be_answered_at(reply_to, envelope.login, logins, apps)


def _read(envelope: Envelope, body: bytes) -> Command | Rejected:
    decoder = _DECODERS.get(envelope.type or "")
    if decoder is None:
        return _unreadable(envelope, "type", "is no command that is known")
    if envelope.content_encoding:
        return _unreadable(envelope, "content_encoding", "must not be set")
    if len(body) > COMMAND_BYTES_MAX:
        return _unreadable(envelope, "body", f"is longer than {COMMAND_BYTES_MAX} bytes")
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError):
        return _explain(envelope, body)


def _explain(envelope: Envelope, body: bytes) -> Rejected:
    """Tells a body that cannot be read at all from one whose fields do not fit."""
    fields = read_object(body)
    if isinstance(fields, str):
        return _unreadable(envelope, "body", fields)
    name = envelope.type or ""
    return _readable(
        envelope,
        invalid(*field_problems(COMMANDS[name], fields)),
        command=name,
        user_id=valid_text(fields, "userId"),
        idempotency_key=valid_text(fields, "idempotencyKey"),
        app_id=valid_text(fields, "appId"),
    )


def _problem(envelope: Envelope, body: bytes, command: Command, logins: Logins) -> FieldError | None:
    """What a schema cannot say; ``None`` where all is well."""
    return (
        _body_problem(command, body)
        or _reserved_key_problem(command, envelope, logins)
        or _property_problem("correlation_id", envelope.correlation_id)
        or _property_problem("message_id", envelope.message_id)
        or _deadline_problem(envelope)
        or _routing_problem(envelope, command)
    )


def _body_problem(command: Command, body: bytes) -> FieldError | None:
    if ESCAPED_NUL in body and (problem := _nul_problem(command)):
        return problem
    if isinstance(command, Adjust) and command.amount == 0:
        return FieldError("amount", "must not be 0")
    if isinstance(command, Grant) and command.expires_at is not None and in_utc(command.expires_at) is None:
        return FieldError("expiresAt", "is beyond the calendar in UTC")
    if isinstance(command, Buy) and (command.paid is None) == (command.failed is None):
        return FieldError("paid", "or failed: one of them")
    if isinstance(command, ClawBack | Thaw) and (command.refund is None) == (command.dispute is None):
        return FieldError("refund", "or dispute: one of them")
    metadata = getattr(command, "metadata", NO_METADATA)
    return None if metadata is NO_METADATA else metadata_problem(metadata)


def _nul_problem(command: Command) -> FieldError | None:
    """NUL can only come as an escape, and lone surrogates do not come at all: the JSON reader refused them."""
    for field in msgspec.structs.fields(command):
        value = getattr(command, field.name)
        if isinstance(value, str) and (problem := text_problem(field.encode_name, value)):
            return problem
    return None


def _reserved_key_problem(command: Command, envelope: Envelope, logins: Logins) -> FieldError | None:
    if not isinstance(command, Keyed) or not is_reserved_key(command.idempotency_key):
        return None
    if logins.may_use_reserved_keys(envelope.login, envelope.on_behalf):
        return None
    return FieldError("idempotencyKey", "begins with a prefix that is reserved")


def _property_problem(name: str, value: str | None) -> FieldError | None:
    if value is None:
        return None
    if problem := text_problem(name, value):
        return problem
    if len(value.encode()) > _SHORT_BYTES_MAX:
        return FieldError(name, f"is longer than {_SHORT_BYTES_MAX} bytes")
    return None


def _deadline_problem(envelope: Envelope) -> FieldError | None:
    if envelope.deadline is None or read_moment(envelope.deadline) is not None:
        return None
    return FieldError("deadline", "is not a time of RFC 3339")


def _routing_problem(envelope: Envelope, command: Command) -> FieldError | None:
    if envelope.routing_key == command.user_id:
        return None
    return FieldError("userId", "is another user than the routing key's")


def _unreadable(envelope: Envelope, field: str, message: str) -> Rejected:
    error = invalid_field(field, message)
    return Rejected(error, False, envelope.reply_to or None, traceparent=read_traceparent(envelope.traceparent))


def _refuse(envelope: Envelope, command: Command, error: Error) -> Rejected:
    key: str | None = getattr(command, "idempotency_key", None)
    return _readable(
        envelope,
        error,
        command=command.type,
        user_id=command.user_id,
        idempotency_key=None if key is None or text_problem("idempotencyKey", key) else key,
        app_id=getattr(command, "app_id", None),
    )


def _readable(envelope: Envelope, error: Error, *, user_id: str | None, **known: Any) -> Rejected:
    routed = valid_text({"userId": envelope.routing_key}, "userId")
    return Rejected(
        error,
        True,
        envelope.reply_to or None,
        user_id=user_id or routed,
        traceparent=read_traceparent(envelope.traceparent),
        **known,
    )
