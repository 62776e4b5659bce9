"""Sessions of PostgreSQL, all that there are."""

from __future__ import annotations

from contextlib import AsyncExitStack

import asyncpg


class Hoard:
    """All sessions that the server would give to others."""

    def __init__(self, url: str) -> None:
        self.taken = 0
        self._url = url
        self._sessions = AsyncExitStack()

    async def fill(self) -> None:
        """Takes what is free now."""
        while True:
            try:
                session = await asyncpg.connect(self._url)
            except asyncpg.TooManyConnectionsError:
                return
            self._sessions.push_async_callback(session.close)
            self.taken += 1

    async def close(self) -> None:
        """Gives all of them back."""
        await self._sessions.aclose()
