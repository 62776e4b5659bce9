"""What a subscriber gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mana_client.results import Balance, Transaction, read_balance, read_transaction


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: the offset of an event, and its id, by which another log is known as one."""

    offset: int
    event_id: str


Start = Literal["first", "last", "next"] | datetime | Position
"""Where to begin in the log: its first event, its last chunk, what comes from now on, a time (or somewhat earlier), or
behind the event at a position."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, once. Who sees it twice sees the same ``id``.

    ``sequence`` counts the user's transactions from 1 without a gap; ``None`` where the event tells of none, such as
    ``credits.refused`` or ``user.registered``. ``data`` is what the event says, as JSON has it; ``transaction`` and
    ``balance`` (behind it) are read from there. ``position`` is its place in the log, ``None`` from a queue.
    """

    id: str
    type: str
    user_id: str
    time: datetime
    sequence: int | None
    data: Mapping[str, Any]
    position: Position | None

    @property
    def transaction(self) -> Transaction:
        """What was done. Raises ``KeyError`` where the event tells of no transaction: it has no ``sequence`` then."""
        return read_transaction(self.data["transaction"])

    @property
    def balance(self) -> Balance:
        """The account behind it. Raises ``KeyError`` where the event tells of none."""
        return read_balance(self.data["balance"])


@dataclass(frozen=True, slots=True)
class Gap:
    """Transactions of a user, from ``expected`` up to the one before ``got``, of which no event came.

    Told before the event with the sequence ``got``. They may come later, when an operator sends them again.
    """

    user_id: str
    expected: int
    got: int


@dataclass(frozen=True, slots=True)
class LogGap:
    """The log has dropped what was at the offsets from ``expected`` up to the one before ``got``, unread."""

    expected: int
    got: int


@dataclass(frozen=True, slots=True)
class LogReplaced:
    """This is not the log that ``position`` was stored for. What follows is read from its first event on."""

    position: Position


Item = Event | Gap | LogGap | LogReplaced


def read_event(body: bytes, offset: int | None) -> Event:
    """From a message's body (CloudEvents 1.0, JSON). Raises ``ValueError``, ``KeyError`` and ``TypeError``."""
    wire = json.loads(body)
    position = None if offset is None else Position(offset, wire["id"])
    time = datetime.fromisoformat(wire["time"])
    return Event(wire["id"], wire["type"], wire["subject"], time, wire.get("sequence"), wire["data"], position)
