"""Which sessions have ended, known in memory within moments of the commit that ended them, in whichever process.

The database announces each end; it is kept for as long as an access token of that session may live. An announcement
is no proof, since any login of the database may make one: of a session that was announced, only the database tells.
While the announcements cannot be heard nothing is claimed, and the database is asked for each request.
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
ANNOUNCED_MAX: Final = 200_000
"""Sessions that are remembered as announced; beyond so many the database is asked for every session."""

_log = structlog.get_logger(__name__)


class EndedSessions:
    """Hears what ``Announcements`` are told of ends."""

    def __init__(self, token_life: timedelta, clock: Clock) -> None:
        self._remembered = token_life + _MARGIN
        self._clock = clock
        self._ended: dict[UUID, float] = {}
        self._announced: dict[UUID, float] = {}
        self._current = False

    @property
    def channel(self) -> str:
        """Where ends are announced."""
        return _CHANNEL

    def has_ended(self, session_id: UUID) -> bool | None:
        """Whether the session has ended; ``None`` where only the database can tell."""
        if session_id in self._ended:
            return True
        if session_id in self._announced or len(self._announced) >= ANNOUNCED_MAX:
            return None
        return False if self._current else None

    def add(self, session_id: UUID) -> None:
        """Notes an end that is known for certain."""
        self._note(self._ended, session_id)

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
        """Notes what may be an end; what is no session's id was not announced by the database itself."""
        try:
            session_id = UUID(payload)
        except ValueError:
            _log.warning("what was announced is no session's id", channel=_CHANNEL)
            return
        if len(self._announced) < ANNOUNCED_MAX:
            self._note(self._announced, session_id)
        else:
            self._forget(self._announced)

    def fall_deaf(self) -> None:
        """Claims nothing until it has caught up."""
        self._current = False

    def _note(self, sessions: dict[UUID, float], session_id: UUID) -> None:
        self._forget(sessions)
        sessions[session_id] = self._clock() + self._remembered.total_seconds()

    def _forget(self, sessions: dict[UUID, float]) -> None:
        """Drops those that no token can outlive; the oldest stand first."""
        now = self._clock()
        for session_id, _ in list(takewhile(lambda entry: entry[1] <= now, sessions.items())):
            del sessions[session_id]
