"""From a REST request to the command ``credits.use``: the contract's own decoder judges the whole.

The body is the command's body less ``userId``, so it is completed and decoded as the workers will decode it; what
REST adds (the header ``Idempotency-Key``, keys that are ours) is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import uuid_utils
from msgspec import Raw

from api.broker.commands import OutgoingCommand
from api.errors import Refusal, refuse_field
from contracts.commands import Use
from contracts.decoding import Envelope, Rejected, decode
from contracts.fields import is_reserved_key
from contracts.permissions import Logins
from contracts.topology import FRONT_LOGIN

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_LOGINS: Final = Logins()
_FOLDED: Final = frozenset({".", ".."})
"""Keys that could not be looked up: browsers fold such a path segment away, also where it is written %2E%2E."""


def read_use(user_id: str, body: bytes, key_headers: Sequence[bytes]) -> tuple[OutgoingCommand, str]:
    """The command and its idempotency key. Raises ``Refusal`` (``invalid_request``)."""
    fields = _read(body)
    if "userId" in fields:
        raise refuse_field("userId", "is not known")
    key = _key(fields.pop("idempotencyKey", None), key_headers)
    fields["userId"] = Raw(msgspec.json.encode(user_id))
    fields["idempotencyKey"] = Raw(msgspec.json.encode(key))
    command = OutgoingCommand(Use.type, user_id, msgspec.json.encode(fields))
    verdict = decode(Envelope(routing_key=user_id, type=Use.type, login=FRONT_LOGIN), command.body, _LOGINS)
    if isinstance(verdict, Rejected):
        raise Refusal(verdict.error)
    return command, key


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
