"""What only those may do who have lately proven who they are: an open session alone may be a stolen one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from api.database import Connection
from api.errors import refuse
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


async def renew(connection: Connection, session_id: UUID) -> bool:
    """Notes that the session's user has just proven who they are. False where the session is over."""
    return await connection.fetchval(_SQL["renew_authentication"], session_id) is not None


async def require_recent(connection: Connection, session_id: UUID, within: timedelta) -> None:
    """Returns if the session's user signed in, or proved it again, that lately.

    In a transaction as that user, under ``standing.seize`` or ``enter`` and before anything was written: whoever waited
    for that lock behind the session's end is refused here, and the refusal ends the transaction. Raises ``Refusal``
    (``forbidden`` with ``{"reauthenticate": true}``), also for a session that has ended or expired.
    """
    if not await connection.fetchval(_SQL["was_proven_recently"], session_id, within):
        raise refuse("forbidden", "sign in again before this", {"reauthenticate": True})
