"""A user's sessions in PostgreSQL, in a transaction as that user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


@dataclass(frozen=True)
class ListedSession:
    """One sign-in that goes on; address and agent are those of its start."""

    id: UUID
    device_name: str | None
    known_device: bool
    address: str | None
    user_agent: str | None
    created_at: datetime
    last_active_at: datetime
    expires_at: datetime


async def list_sessions(connection: Connection, user_id: UUID) -> list[ListedSession]:
    """The user's living sessions, the newest first."""
    return [ListedSession(**row) for row in await connection.fetch(_SQL["list_sessions"], user_id)]
