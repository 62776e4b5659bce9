"""A user as services see one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from api.auth.model import User
from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


@dataclass(frozen=True)
class KnownUser(User):
    """A user, and since when they are banned."""

    banned_at: datetime | None


async def get_user(connection: Connection, user_id: UUID) -> KnownUser | None:
    """The user of the transaction; ``None``: no such user."""
    row = await connection.fetchrow(_SQL["get_user"], user_id)
    return None if row is None else KnownUser(**row)
