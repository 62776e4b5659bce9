"""Which sessions have ended, known in memory within moments of the commit that ended them, in whichever process.

The database announces each end; whoever listens keeps it for as long as an access token of that session may live.
While the announcements cannot be heard, nothing is claimed: then the database is asked for each request.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from api.clock import Clock
from api.database import translated
from api.errors import Unavailable
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
_CHANNEL: Final = "mana_session_ended"
_PING_SECONDS: Final = 0.3
_SILENCE_SECONDS_MAX: Final = 0.5
"""With the time between pings this bounds how long an end may go unheard: under a second."""
_CONNECT_SECONDS_MAX: Final = 2
_PAUSE_SECONDS: Final = 0.5
_MARGIN: Final = timedelta(minutes=2)

_log = structlog.get_logger(__name__)


class EndedSessions:
    """Run ``follow`` as a task for as long as the process lives."""

    def __init__(self, database_url: str, token_life: timedelta, clock: Clock) -> None:
        self._url = database_url
        self._remembered = token_life + _MARGIN
        self._clock = clock
        self._forget_at: dict[UUID, float] = {}
        self._current = False

    def has_ended(self, session_id: UUID) -> bool | None:
        """Whether the session has ended; ``None`` where only the database can tell."""
        if session_id in self._forget_at:
            return True
        return False if self._current else None

    def add(self, session_id: UUID) -> None:
        """Notes an end."""
        self._forget_at[session_id] = self._clock() + self._remembered.total_seconds()

    async def follow(self) -> None:
        """Listens, and begins again whenever the connection is lost; ends only when it is cancelled."""
        while True:
            try:
                with translated():
                    await self._listen()
            except Unavailable as error:
                _log.warning("announcements of ended sessions cannot be heard", reason=str(error.__cause__))
            finally:
                self._current = False
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._url, timeout=_CONNECT_SECONDS_MAX, server_settings={"application_name": "mana-api-sessions"}
        )
        try:
            connection.add_termination_listener(self._fall_deaf)
            await connection.add_listener(_CHANNEL, self._hear)
            # After listening began: an end is either in this list or announced, never in neither.
            rows = await connection.fetch(_SQL["list_ended_sessions"], self._remembered, timeout=_CONNECT_SECONDS_MAX)
            for row in rows:
                self.add(row[0])
            self._current = True
            while True:
                await asyncio.sleep(_PING_SECONDS)
                await connection.execute("SELECT 1", timeout=_SILENCE_SECONDS_MAX)
                self._forget()
        finally:
            connection.terminate()

    def _hear(self, *announcement: object) -> None:
        _connection, _pid, _channel, session_id = announcement
        self.add(UUID(str(session_id)))

    def _fall_deaf(self, _: object) -> None:
        """Called the moment the connection is seen to be gone; one that falls silent is found by the pings."""
        self._current = False

    def _forget(self) -> None:
        """Drops ends that no token can outlive; the oldest stand first."""
        now = self._clock()
        for session_id, forget_at in list(self._forget_at.items()):
            if forget_at > now:
                return
            del self._forget_at[session_id]
