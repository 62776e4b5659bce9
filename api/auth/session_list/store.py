"""A user's sessions in PostgreSQL, in a transaction as that user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from api.auth.model import LiveSession
from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


@dataclass(frozen=True)
class ListedSession(LiveSession):
    """A session as its user sees it."""

    known_device: bool


async def list_sessions(connection: Connection, user_id: UUID) -> list[ListedSession]:
    """The user's living sessions, the newest first."""
    return [ListedSession(**row) for row in await connection.fetch(_SQL["list_sessions"], user_id)]
