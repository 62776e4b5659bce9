"""The directory of apps: who is registered, and with which rights, as the database has it."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from contracts.apps import CHANGES_CHANNEL, NO_APPS, Apps, directory
from workers.ledger.faults import TryAgain
from workers.ledger.store.session import Session
from workers.ledger.store.statements import statement

_log = structlog.get_logger(__name__)

_READ: Final = statement("apps")
_PAUSE_SECONDS: Final = 0.5


class Directory:
    """The registered apps in memory: whole before the first delivery is read, and read again at each announcement.

    Announcements come on the very session that holds the leases. While that is lost nothing is consumed, so nobody is
    judged by what may have changed meanwhile.
    """

    def __init__(self) -> None:
        self.apps: Apps = NO_APPS
        self._changed = asyncio.Event()

    async def load(self, session: Session) -> None:
        """Reads all, having asked to be told of changes first. Raises a ``Fault``."""
        await session.hear(CHANGES_CHANNEL, self._changed.set)
        await self._read(session)

    async def follow(self, session: Session) -> None:
        """Reads all again whenever it has changed, until cancelled. Raises ``ConnectionLost``, ``Broken``."""
        while True:
            await self._changed.wait()
            try:
                await self._read(session)
            except TryAgain as error:
                _log.warning("the apps are read again later", reason=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _read(self, session: Session) -> None:
        self._changed.clear()
        try:
            rows = await session.fetch(_READ)
        except TryAgain:
            self._changed.set()
            raise
        self.apps = directory(rows)
