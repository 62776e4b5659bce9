"""The events of users that wait to be told, as far as the relay may see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from api.database import Connection, one
from api.sql import Statements
from contracts.events import Event, user_event
from contracts.user_events import DATA_OF, UserEventType

_SQL: Final = Statements(Path(__file__).parent / "sql")
PAGE: Final = 500
"""Events of one transaction of the relay's: read, sent and removed together."""


@dataclass(frozen=True)
class PendingEvent:
    """An event that was committed under this number; ``data`` is its JSON."""

    number: int
    id: UUID
    user_id: UUID
    type: UserEventType
    data: str
    created_at: datetime

    def event(self) -> Event:
        """The event, the same each time. Raises ``KeyError`` or ``msgspec.ValidationError`` where the row is none."""
        return user_event(
            event_id=str(self.id),
            event_type=self.type,
            user_id=str(self.user_id),
            data=msgspec.json.decode(self.data, type=DATA_OF[self.type]),
            time=self.created_at,
        )


async def hold(connection: Connection) -> bool:
    """Whether nobody else tells: then nobody will until the transaction's end."""
    return await connection.fetchval(_SQL["hold_telling"]) is True


async def list_after(connection: Connection, number: int) -> list[PendingEvent]:
    """A page of events behind that number, in order."""
    return [PendingEvent(**row) for row in await connection.fetch(_SQL["list_events"], number, PAGE)]


async def remove(connection: Connection, numbers: list[int]) -> None:
    """Forgets events that the broker has."""
    await connection.execute(_SQL["remove_events"], numbers)


async def measure(connection: Connection) -> tuple[int, float]:
    """How many events wait, and the oldest one's age in seconds."""
    row = one(await connection.fetchrow(_SQL["measure_events"]))
    return row["waiting"], row["oldest_seconds"]
