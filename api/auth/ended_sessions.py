"""Which sessions have ended, known in memory within moments of the commit that ended them, in whichever process.

The database announces each end; it is kept for as long as an access token of that session may live. While the
announcements cannot be heard, nothing is claimed: then the database is asked for each request.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from api.auth.announcements import CONNECT_SECONDS_MAX
from api.clock import Clock
from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
_CHANNEL: Final = "mana_session_ended"
_MARGIN: Final = timedelta(minutes=2)

_log = structlog.get_logger(__name__)


class EndedSessions:
    """Hears what ``Announcements`` are told of ends."""

    def __init__(self, token_life: timedelta, clock: Clock) -> None:
        self._remembered = token_life + _MARGIN
        self._clock = clock
        self._forget_at: dict[UUID, float] = {}
        self._current = False

    @property
    def channel(self) -> str:
        """Where ends are announced."""
        return _CHANNEL

    def has_ended(self, session_id: UUID) -> bool | None:
        """Whether the session has ended; ``None`` where only the database can tell."""
        if session_id in self._forget_at:
            return True
        return False if self._current else None

    def add(self, session_id: UUID) -> None:
        """Notes an end, and drops those that no token can outlive."""
        now = self._clock()
        self._forget(now)
        self._forget_at[session_id] = now + self._remembered.total_seconds()

    def add_all(self, session_ids: Iterable[UUID]) -> None:
        """Notes several ends."""
        for session_id in session_ids:
            self.add(session_id)

    async def catch_up(self, connection: Connection) -> None:
        """After listening began: an end is either in this list or announced, never in neither."""
        rows = await connection.fetch(_SQL["list_ended_sessions"], self._remembered, timeout=CONNECT_SECONDS_MAX)
        self.add_all(row[0] for row in rows)
        self._current = True

    def hear(self, payload: str) -> None:
        """Notes an end; what is no session's id was not announced by the database itself, and says nothing."""
        try:
            self.add(UUID(payload))
        except ValueError:
            _log.warning("what was announced is no session's id", channel=_CHANNEL)

    def fall_deaf(self) -> None:
        """Claims nothing until it has caught up."""
        self._current = False

    def _forget(self, now: float) -> None:
        """The oldest stand first."""
        for session_id, _ in list(takewhile(lambda entry: entry[1] <= now, self._forget_at.items())):
            del self._forget_at[session_id]
