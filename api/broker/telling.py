"""A line of the log for each command that the front sends, where the level is DEBUG."""

from __future__ import annotations

import logging
from typing import Final

import msgspec
import structlog

from api.broker.commands import OutgoingCommand
from contracts.replies import decode_reply

_log = structlog.get_logger(__name__)
_level = logging.getLogger(__name__)


class _Named(msgspec.Struct, rename="camel"):
    idempotency_key: str | None = None
    app_id: str | None = None


_NAMED: Final = msgspec.json.Decoder(_Named)


def tell(command: OutgoingCommand, outcome: str, reply: bytes | None = None) -> None:
    """What became of it. The request's id is on the line as on all of the request's; the message's own finds it in the
    worker's log."""
    if not _level.isEnabledFor(logging.DEBUG):
        return
    named = _NAMED.decode(command.body)
    found = {
        "user_id": command.user_id,
        "app_id": named.app_id,
        "on_behalf": command.on_behalf,
        "idempotency_key": named.idempotency_key,
        "message_id": command.message_id,
        **_of_reply(reply),
    }
    given = {name: value for name, value in found.items() if value is not None}
    _log.debug("command sent", type=command.type, outcome=outcome, **given)


def _of_reply(reply: bytes | None) -> dict[str, str | None]:
    if reply is None:
        return {}
    try:
        read = decode_reply(reply)
    except msgspec.DecodeError:
        return {"result": "unreadable"}
    if isinstance(read.error, msgspec.UnsetType):
        made = read.transaction
        return {"result": "replayed" if read.replayed else "ok", "transaction_id": None if made is None else made.id}
    return {"result": read.error.code}
