"""What is counted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from msgspec import Struct

Kind = Literal["usage", "refund"]


class Entry(Struct, frozen=True):
    """One transaction of an account, as its event tells it. ``kind`` is ``None`` for what is neither a usage nor a
    refund: it is counted as known, and as nothing else.

    ``at`` is in UTC; ``usage_id`` is of the usage that it is, or gives back; ``amount`` has no sign.
    """

    account_id: UUID
    sequence: int
    kind: Kind | None
    at: datetime
    app_id: str
    model: str
    usage_id: UUID
    amount: int


class Known(Struct, frozen=True):
    """Up to which transaction an account was counted, and whether its models are forgotten (its user is deleted)."""

    sequence: int = 0
    models_forgotten: bool = False


class Cell(NamedTuple):
    """One row of the statistics; day and hour in UTC."""

    account_id: UUID
    day: date
    hour: int
    app_id: str
    model: str


class Sums(Struct):
    """Usages and the credits that they took, refunds and the credits that they gave back."""

    uses: int = 0
    credits: int = 0
    refunds: int = 0
    refunded: int = 0


class Counted(Struct, frozen=True):
    """What a batch comes to: what is added to which row, up to where accounts are known now, and which accounts have a
    gap behind that: the ledger knows what stands there."""

    cells: dict[Cell, Sums]
    progress: dict[UUID, int]
    behind: frozenset[UUID]
    repeats: int


class Place(Struct, frozen=True):
    """The last event of the stream that was counted in: where it stands, and its id."""

    offset: int
    event_id: str
