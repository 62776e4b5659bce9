"""From a REST request to a command of credits: the contract's own decoder judges the whole, as the workers will.

The body is the command's body; of a user's own the field ``userId`` is left out, and is the caller. What REST adds (the
header ``Idempotency-Key``, keys that no address can end with) is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec
import uuid_utils
from msgspec import Raw

from api.broker.commands import OutgoingCommand
from api.errors import Refusal, refuse_field
from contracts.apps import App
from contracts.commands import Adjust, Grant, Keyed, Refund, Use
from contracts.decoding import Envelope, Rejected, decode
from contracts.fields import is_reserved_key
from contracts.permissions import Logins
from contracts.topology import FRONT_LOGIN

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_USER_ID: Final = msgspec.json.Decoder(str)
_LOGINS: Final = Logins()
_FOLDED: Final = frozenset({".", ".."})
"""Keys that could not be looked up: browsers fold such a path segment away, also where it is written %2E%2E."""

OfCredits: TypeAlias = type[Use] | type[Refund] | type[Grant] | type[Adjust]


def read_use(user_id: str, body: bytes, key_headers: Sequence[bytes]) -> tuple[OutgoingCommand, str]:
    """A user's own use, and its idempotency key. Raises ``Refusal`` (``invalid_request``)."""
    fields = _read(body)
    if "userId" in fields:
        raise refuse_field("userId", "is not known")
    fields["userId"] = Raw(msgspec.json.encode(user_id))
    return _command(Use, user_id, fields, key_headers, None)


def read_of_service(
    kind: OfCredits, app: App, body: bytes, key_headers: Sequence[bytes]
) -> tuple[OutgoingCommand, str]:
    """A service's command for the user that its body names, and its idempotency key.

    Raises ``Refusal``: ``invalid_request``, or ``forbidden`` or ``app_mismatch`` where the app may not send it.
    """
    fields = _read(body)
    return _command(kind, _named_user(fields.get("userId")), fields, key_headers, app)


def _command(
    kind: type[Keyed], user_id: str, fields: dict[str, Raw], key_headers: Sequence[bytes], app: App | None
) -> tuple[OutgoingCommand, str]:
    key = _key(fields.pop("idempotencyKey", None), key_headers)
    fields["idempotencyKey"] = Raw(msgspec.json.encode(key))
    on_behalf = None if app is None else app.id
    command = OutgoingCommand(kind.type, user_id, msgspec.json.encode(fields), on_behalf=on_behalf)
    envelope = Envelope(routing_key=user_id, type=kind.type, login=FRONT_LOGIN, on_behalf=on_behalf)
    verdict = decode(envelope, command.body, _LOGINS, apps={} if app is None else {app.id: app})
    if isinstance(verdict, Rejected):
        raise Refusal(verdict.error)
    return command, key


def _named_user(raw: Raw | None) -> str:
    """The user of the body where it is text; what is wrong with it is the decoder's to say."""
    try:
        return "" if raw is None else _USER_ID.decode(raw)
    except ValueError:
        return ""


def _read(body: bytes) -> dict[str, Raw]:
    try:
        return _FIELDS.decode(body)
    except msgspec.ValidationError as error:
        raise refuse_field("body", "is not an object") from error
    except (ValueError, RecursionError) as error:
        raise refuse_field("body", "is not JSON in UTF-8 that every reader would accept") from error


def _key(in_body: Raw | None, key_headers: Sequence[bytes]) -> str:
    """The key from body or header, which must agree; a new one where neither has any."""
    keys = {key for key in (_body_key(in_body), *map(_header_key, key_headers)) if key is not None}
    if len(keys) > 1:
        raise refuse_field("idempotencyKey", "differs from the header Idempotency-Key")
    key = keys.pop() if keys else str(uuid_utils.uuid7())
    if is_reserved_key(key):
        raise refuse_field("idempotencyKey", "begins with a prefix that is reserved")
    if key in _FOLDED:
        raise refuse_field("idempotencyKey", "must be another than . and .., which no address can end with")
    return key


def _body_key(raw: Raw | None) -> str | None:
    if raw is None:
        return None
    try:
        return msgspec.json.decode(bytes(raw), type=str | None)
    except ValueError as error:
        raise refuse_field("idempotencyKey", "is not a string that every reader would accept") from error


def _header_key(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refuse_field("Idempotency-Key", "is not UTF-8") from error
