"""What the database announces, heard on one connection, for all in this process who follow it.

Who follows a channel catches up whenever listening has begun, so that nothing between two connections is missed. It
must not go through a pooler of transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import asyncpg
import structlog

from api.database import Connection, translated
from api.errors import Unavailable

CONNECT_SECONDS_MAX: Final = 2
_PING_SECONDS: Final = 0.3
_SILENCE_SECONDS_MAX: Final = 0.5
"""With the time between pings this bounds how long an announcement may go unheard: under a second."""
_PAUSE_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class Follower(Protocol):
    """Follows one channel."""

    @property
    def channel(self) -> str:
        """Its name."""
        ...

    async def catch_up(self, connection: Connection) -> None:
        """Called after listening began: learns what was announced before. From then on it hears everything."""
        ...

    def hear(self, payload: str) -> None:
        """Called with each announcement. Any login may announce anything: nothing is to be believed of its form."""
        ...

    def fall_deaf(self) -> None:
        """Called when it may hear nothing any more, until it catches up again."""
        ...


class Announcements:
    """Run ``follow`` as a task for as long as the process lives."""

    def __init__(self, database_url: str, followers: Sequence[Follower]) -> None:
        self._url = database_url
        self._followers = {follower.channel: follower for follower in followers}

    async def follow(self) -> None:
        """Listens, and begins again whenever the connection is lost; ends only when it is cancelled."""
        while True:
            try:
                with translated():
                    await self._listen()
            except Unavailable as error:
                _log.warning("the database's announcements cannot be heard", reason=str(error.__cause__))
            finally:
                self._fall_deaf()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._url, timeout=CONNECT_SECONDS_MAX, server_settings={"application_name": "mana-api-announcements"}
        )
        try:
            connection.add_termination_listener(self._fall_deaf)
            for channel in self._followers:
                await connection.add_listener(channel, self._hear)
            for follower in self._followers.values():
                await follower.catch_up(connection)
            while True:
                await asyncio.sleep(_PING_SECONDS)
                await connection.execute("SELECT 1", timeout=_SILENCE_SECONDS_MAX)
        finally:
            connection.terminate()

    def _hear(self, *announcement: object) -> None:
        _connection, _pid, channel, payload = announcement
        self._followers[str(channel)].hear(str(payload))

    def _fall_deaf(self, _: object = None) -> None:
        """Called the moment the connection is seen to be gone; one that falls silent is found by the pings."""
        for follower in self._followers.values():
            follower.fall_deaf()
