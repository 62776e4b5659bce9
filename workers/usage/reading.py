"""Events as the stream holds them, read as far as statistics need them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from contracts.events import SOURCE
from contracts.fields import BALANCE_MAX, AppId
from workers.usage.model import Entry, Kind

MODEL_MAX: Final = 100
"""Characters of a model's name; what is longer is none."""
_COUNTED: Final[dict[str, Kind]] = {"usage": "usage", "refund": "refund"}
_NULL: Final = b"null"


class UnreadableError(Exception):
    """It is no event that the contract knows."""


class _Transaction(Struct, frozen=True, rename="camel"):
    id: UUID
    user_id: UUID
    type: str
    amount: Annotated[int, Meta(ge=-BALANCE_MAX, le=BALANCE_MAX)]
    app_id: AppId | None
    metadata: Raw
    refers_to: UUID | None
    sequence: Annotated[int, Meta(ge=1, le=BALANCE_MAX)]
    created_at: Annotated[datetime, Meta(tz=True)]


class _Data(Struct, frozen=True):
    transaction: _Transaction | UnsetType = UNSET


class _Event(Struct, frozen=True):
    source: str
    data: _Data


class _Metadata(Struct, frozen=True):
    model: Raw = Raw(b"null")


_decode: Final = msgspec.json.Decoder(_Event).decode
_decode_metadata: Final = msgspec.json.Decoder(_Metadata).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


def read(body: bytes) -> Entry | None:
    """The transaction that an event tells of; ``None`` for events that tell of none. Raises ``UnreadableError``."""
    try:
        event = _decode(body)
        told = event.data.transaction
        if told is UNSET or event.source != SOURCE:
            return None
        return _entry(told)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from error


def model_of(metadata: bytes) -> str:
    """``metadata.model`` where it is a text that is not too long, else ``''``: as ``credits.model_of`` has it.

    Raises ``msgspec.DecodeError`` for what is no object and not ``null``.
    """
    if metadata == _NULL:
        return ""
    written = bytes(_decode_metadata(metadata).model)
    if not written.startswith(b'"'):
        return ""
    model = _decode_text(written)
    return model if len(model) <= MODEL_MAX else ""


def _entry(told: _Transaction) -> Entry:
    kind = _COUNTED.get(told.type)
    if kind is not None and (told.app_id is None or (kind == "usage") != (told.amount < 0)):
        raise UnreadableError(f"a {kind} of no app, or of {told.amount}")
    return Entry(
        account_id=told.user_id,
        sequence=told.sequence,
        kind=kind,
        at=told.created_at.astimezone(UTC),
        app_id=told.app_id or "",
        model=model_of(bytes(told.metadata)) if kind == "usage" else "",
        usage_id=told.refers_to if kind == "refund" and told.refers_to is not None else told.id,
        amount=abs(told.amount),
    )
