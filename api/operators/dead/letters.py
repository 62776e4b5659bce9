"""A message of ``credits.dead`` becomes a letter: what it asks for, why it was kept, who proved to have sent it. Pure.

A worker's copy says by headers what the message said: believed where the broker proves that a worker published it. What
the broker dead-lettered by itself is the message as its sender sent it. All else proves no sender, and is no command.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from api.broker.dead import Again
from api.broker.walk import Kept
from contracts import dead_letters
from contracts.apps import ON_BEHALF_HEADER, Apps, app_of
from contracts.decoding import Envelope, Rejected, decode
from contracts.explaining import read_object, valid_text
from contracts.moments import read_moment
from contracts.permissions import Logins

_BROKERS_OWN: Final = "x-death"
_EXPIRED: Final = "expired"
_ID_CHARACTERS: Final = 16
_UNPROVEN: Final = "who sent it is not proven: no worker of ours kept it, or one of an older version"


@dataclass(frozen=True)
class Letter:
    """``id`` is of what was sent, so copies of one message have one id. Times are ``None`` where the copy has none.

    ``user`` is whose it is: the body says so, or else the routing key. ``app`` asked, or the command is for it. ``key``
    is its idempotency key. ``given_up``: why the broker itself did, if it did.
    """

    id: str
    reason: str
    first: datetime | None
    last: datetime | None
    envelope: Envelope
    body: bytes
    proven: bool
    given_up: str | None
    user: str | None
    app: str | None
    key: str | None

    @property
    def fields(self) -> dict[str, Any]:
        """The body, where it can be read."""
        return _fields(self.body)

    @property
    def command(self) -> str:
        """Its type, or that it names none."""
        return self.envelope.type or "unknown"

    @property
    def expired(self) -> bool:
        """The broker gave it up for its sender's own property ``expiration``."""
        return self.given_up == _EXPIRED

    @property
    def summary(self) -> Letter:
        """All but its body, for lists of many."""
        return replace(self, body=b"")


def read(kept: Kept, workers: Collection[str]) -> Letter:
    """Never raises. ``workers`` are the logins whose copies are believed."""
    copied = _BROKERS_OWN not in kept.headers
    envelope = _of_copy(kept) if copied else _of_message(kept)
    given_up = _text(kept.headers, dead_letters.GIVEN_UP) if copied else _died_of(kept)
    reason = _text(kept.headers, dead_letters.REASON) if given_up is None else f"the broker gave it up: {given_up}"
    last = read_moment(_text(kept.headers, dead_letters.KEPT_AT)) if copied else _died_at(kept)
    first = read_moment(_text(kept.headers, dead_letters.KEPT_SINCE)) if copied else None
    fields = _fields(kept.body)
    return Letter(
        id=_id(envelope, kept.body),
        reason=reason or "none was given",
        first=first or last,
        last=last,
        envelope=envelope,
        body=kept.body,
        proven=not copied or kept.user_id in workers,
        given_up=given_up,
        user=valid_text(fields, "userId") or valid_text({"userId": envelope.routing_key}, "userId"),
        app=_app(envelope, fields),
        key=valid_text(fields, "idempotencyKey"),
    )


def why_not(letter: Letter, logins: Logins, apps: Apps) -> str | None:
    """Why a letter is not sent again: the ledger would refuse it, by what its first sender may do today."""
    if not letter.proven:
        return _UNPROVEN
    verdict = decode(letter.envelope, letter.body, logins, apps=apps)
    if isinstance(verdict, Rejected):
        return f"it would be refused: {_sentence(verdict)}"
    sender = letter.envelope.login
    return None if sender and logins.may_be_redriven(sender) else f"{sender} sends its own again, and nobody for it"


def again(letter: Letter) -> Again:
    """The command to be sent. Raises ``ValueError`` where no sender or no type is known."""
    envelope = letter.envelope
    if not envelope.login or not envelope.type:
        raise ValueError("no command that anybody sent")
    return Again(
        type=envelope.type,
        routing_key=envelope.routing_key,
        sender=envelope.login,
        kept_since="" if letter.first is None else letter.first.isoformat(),
        body=letter.body,
        message_id=envelope.message_id,
        on_behalf=envelope.on_behalf if isinstance(envelope.on_behalf, str) else None,
        deadline=envelope.deadline if isinstance(envelope.deadline, str) else None,
        traceparent=envelope.traceparent if isinstance(envelope.traceparent, str) else None,
    )


def _of_copy(kept: Kept) -> Envelope:
    told = kept.headers
    return Envelope(
        routing_key=_text(told, dead_letters.ROUTING_KEY) or "",
        type=kept.type,
        login=_text(told, dead_letters.LOGIN),
        content_encoding=_text(told, dead_letters.CONTENT_ENCODING),
        message_id=_text(told, dead_letters.MESSAGE_ID),
        deadline=_text(told, dead_letters.DEADLINE),
        traceparent=_text(told, dead_letters.TRACEPARENT),
        on_behalf=_text(told, dead_letters.ON_BEHALF),
    )


def _of_message(kept: Kept) -> Envelope:
    keys: Any = _first_death(kept).get("routing-keys")
    return Envelope(
        routing_key=str(keys[0]) if isinstance(keys, list) and keys else "",
        type=kept.type,
        login=kept.user_id,
        content_encoding=kept.content_encoding,
        message_id=kept.message_id,
        deadline=_text(kept.headers, dead_letters.DEADLINE),
        traceparent=_text(kept.headers, dead_letters.TRACEPARENT),
        on_behalf=_text(kept.headers, ON_BEHALF_HEADER),
    )


def _text(headers: Any, name: str) -> str | None:
    """A header as text; one that is none stays set, as in the copies of workers."""
    value = headers.get(name)
    return None if value is None else str(value)


def _died_of(kept: Kept) -> str:
    return str(_first_death(kept).get("reason", "nobody knows why"))


def _died_at(kept: Kept) -> datetime | None:
    at = _first_death(kept).get("time")
    return at if isinstance(at, datetime) else None


def _first_death(kept: Kept) -> dict[str, Any]:
    deaths: Any = kept.headers[_BROKERS_OWN]
    first: dict[str, Any] = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    return first


def _fields(body: bytes) -> dict[str, Any]:
    read = read_object(body)
    return read if isinstance(read, dict) else {}


def _app(envelope: Envelope, fields: dict[str, Any]) -> str | None:
    if isinstance(envelope.on_behalf, str):
        return envelope.on_behalf
    return valid_text(fields, "appId") or (app_of(envelope.login) if envelope.login else None)


def _id(envelope: Envelope, body: bytes) -> str:
    said = (envelope.login, envelope.on_behalf, envelope.type, envelope.routing_key, envelope.message_id)
    told = "\x1f".join("" if one is None else str(one) for one in said)
    return sha256(told.encode(errors="replace") + b"\x1f" + sha256(body).digest()).hexdigest()[:_ID_CHARACTERS]


def _sentence(rejected: Rejected) -> str:
    found = rejected.error.details.get("errors", [])
    return "; ".join(f"{one['field']} {one['message']}" for one in found) or rejected.error.message
