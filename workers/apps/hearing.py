"""Hears on a connection of its own when apps change. It must not go through a pooler of transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from contracts.apps import CHANGES_CHANNEL
from workers.ledger.faults import Fault
from workers.ledger.store.session import Session

_PING_SECONDS: Final = 0.3
_SILENCE_SECONDS_MAX: Final = 0.5
"""With the time between pings this bounds how long a change may go unheard: under a second."""
_PAUSE_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class Hearing:
    """Calls ``on_change`` with each change, and whenever listening has begun: of what was before that nobody told.

    ``problem`` is why nothing is heard; ``None`` while it is.
    """

    def __init__(self, url: str, on_change: Callable[[], None], *, application_name: str) -> None:
        self._url = url
        self._on_change = on_change
        self._application_name = application_name
        self.problem: str | None = "not heard yet"

    async def run(self) -> None:
        """Listens, and begins again whenever the connection is lost; ends only when it is cancelled."""
        while True:
            try:
                await self._listen()
            except Fault as fault:
                self.problem = f"changes cannot be heard: {fault}"
                _log.warning("changes of apps cannot be heard", reason=str(fault))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        session = await Session.open(
            self._url, application_name=self._application_name, answer_within_s=_SILENCE_SECONDS_MAX
        )
        try:
            await session.hear(CHANGES_CHANNEL, self._on_change)
            self.problem = None
            self._on_change()
            while True:
                await asyncio.sleep(_PING_SECONDS)
                await session.fetch_value("SELECT 1")
        finally:
            session.abort()
