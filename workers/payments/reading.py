"""Reads what came from ``stripe.events``: enough of it to keep it, and later all of it that counts. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from contracts.stripe import PURCHASE_ID, USER_ID
from workers.payments.model import OBJECTS, CheckoutSession, Event, Named, Object, PaymentIntent

_ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}")
_TYPE: Final = re.compile(r"[a-z0-9_.]{1,200}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CREATED_MAX: Final = 2**33
"""In the year 2242: beyond it the number is no time."""
UNREADABLE: Final = "unreadable"
"""The type under which is kept what is no event."""


class UnreadableError(Exception):
    """It is not what its type promises; the text says why."""


class Incoming(Struct, frozen=True, kw_only=True):
    """A row to be kept. ``refused``: why nothing can come of it."""

    id: str
    type: str
    body: bytes
    created_at: datetime | None = None
    livemode: bool | None = None
    refused: str | None = None


class _Head(Struct, frozen=True):
    id: str
    type: str
    created: Any = None
    livemode: Any = None


class _Data(Struct, frozen=True):
    object: Raw


class _Envelope(Struct, frozen=True):
    id: str
    type: str
    livemode: bool
    data: _Data
    account: str | None = None


_HEAD: Final = msgspec.json.Decoder(_Head)
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_OBJECTS: Final = {kind: msgspec.json.Decoder(kind) for kind in set(OBJECTS.values())}


def incoming(body: bytes) -> Incoming:
    """What is kept of a message: by Stripe's id; where it cannot be read, by its hash."""
    try:
        head = _HEAD.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        return unreadable(body, str(error))
    if not (_ID.fullmatch(head.id) and _TYPE.fullmatch(head.type)):
        return unreadable(body, "its id or its type is none of Stripe's")
    return Incoming(
        id=head.id,
        type=head.type,
        body=body,
        created_at=_moment(head.created),
        livemode=head.livemode if isinstance(head.livemode, bool) else None,
    )


def unreadable(body: bytes, reason: str) -> Incoming:
    """The row of a message that cannot be kept as an event."""
    return Incoming(
        id=f"{UNREADABLE}:{hashlib.sha256(body).hexdigest()}", type=UNREADABLE, body=body, refused=reason[:500]
    )


def event(body: bytes | None) -> Event:
    """All that counts of an event; ``None``: its body was there once. Raises ``UnreadableError``."""
    if body is None:
        raise UnreadableError("its body was forgotten")
    try:
        envelope = _ENVELOPE.decode(body)
        kind = OBJECTS.get(envelope.type)
        about = None if kind is None else _OBJECTS[kind].decode(envelope.data.object)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise UnreadableError(str(error)) from error
    return Event(id=envelope.id, type=envelope.type, livemode=envelope.livemode, account=envelope.account, object=about)


def names_purchase(about: CheckoutSession | PaymentIntent) -> bool:
    """Whether its metadata speak of a purchase of ours, rightly or not."""
    return about.metadata is not None and PURCHASE_ID in about.metadata


def named(about: Object | None) -> Named | None:
    """The purchase that its metadata name; ``None`` where they name none as we write them."""
    if not isinstance(about, CheckoutSession | PaymentIntent) or about.metadata is None:
        return None
    user_id, purchase_id = about.metadata.get(USER_ID), about.metadata.get(PURCHASE_ID)
    if not (_is_uuid(user_id) and _is_uuid(purchase_id)):
        return None
    return Named(str(user_id), str(purchase_id))


def _is_uuid(value: object) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _moment(created: object) -> datetime | None:
    if isinstance(created, bool) or not isinstance(created, int) or not 0 <= created < _CREATED_MAX:
        return None
    return datetime.fromtimestamp(created, UTC)
