"""Events as a subscriber reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

EXCHANGE: Final = "credits.events"
LOG: Final = "credits.events.log"

Position = tuple[str, int]
"""A user and one of the user's sequence numbers."""


class Event(Struct, frozen=True):
    """What is kept of an event. ``visible``: whether its row was in the database when it came; ``None``: not asked."""

    id: str
    type: str
    subject: str
    sequence: int | None
    transaction_id: str | None
    amount: int | None
    visible: bool | None = None


class _Transaction(Struct, frozen=True):
    id: str
    amount: int


class _Data(Struct, frozen=True):
    transaction: _Transaction | None = None


class _CloudEvent(Struct, frozen=True):
    id: str
    type: str
    subject: str
    data: _Data
    sequence: int | None = None


_decoder: Final = msgspec.json.Decoder(_CloudEvent)


def decode(body: bytes) -> Event:
    """Reads an event's body. Raises ``msgspec.DecodeError``."""
    event = _decoder.decode(body)
    transaction = event.data.transaction
    return Event(
        event.id,
        event.type,
        event.subject,
        event.sequence,
        None if transaction is None else transaction.id,
        None if transaction is None else transaction.amount,
    )


def positions(events: Iterable[Event]) -> set[Position]:
    """The places that transactions' events stand for."""
    return {(event.subject, event.sequence) for event in events if event.sequence is not None}
