"""Ends sessions: in the transaction of what they end for, so that both hold or neither does."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID

from api.auth.model import EndReason
from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


async def end_sessions(
    connection: Connection, user_id: UUID, reason: EndReason, *, but: UUID | None = None
) -> list[UUID]:
    """Ends all of a user's sessions, except one where that is named, and returns which.

    Under ``standing.seize``: a session that is just being started is waited for, and a later one is not begun. Every
    front learns of the ends with the commit (``EndedSessions``); this one may note them at once.
    """
    rows = await connection.fetch(_SQL["end_sessions"], user_id, reason, but)
    return [row["id"] for row in rows]
