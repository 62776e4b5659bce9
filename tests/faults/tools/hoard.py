"""Sessions of PostgreSQL, all that there are."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

_AT_ONCE: Final = 10
"""Taken one by one, under load, they would not be full for minutes."""


class Hoard:
    """All sessions that the server would give to others."""

    def __init__(self, url: str) -> None:
        self.taken = 0
        self._url = url
        self._sessions: list[asyncpg.Connection] = []

    async def fill(self) -> None:
        """Takes what is free now."""
        while all(await asyncio.gather(*(self._take() for _ in range(_AT_ONCE)))):
            pass

    async def close(self) -> None:
        """Gives all of them back."""
        await asyncio.gather(*(session.close() for session in self._sessions))
        self._sessions.clear()

    async def _take(self) -> bool:
        """One more; false where there is none."""
        try:
            self._sessions.append(await asyncpg.connect(self._url))
        except asyncpg.TooManyConnectionsError:
            return False
        self.taken += 1
        return True
