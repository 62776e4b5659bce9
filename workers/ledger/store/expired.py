"""Accounts whose lots have expired while nobody asked: whom the clock wakes."""

from __future__ import annotations

from typing import Final

from workers.ledger.store.reader import Reader
from workers.ledger.store.statements import statement

_READ: Final = statement("read_expired")


class ExpiredLots:
    """Reads on a connection of its own; what it finds is posted by a command, never from here."""

    def __init__(self, url: str, *, application_name: str = "mana-clock") -> None:
        self._reader = Reader(url, application_name=application_name)

    async def expired_users(self, limit: int) -> list[str]:
        """Accounts of the ``limit`` lots that expired longest ago and are not posted yet, each account once."""
        return [row["account_id"] for row in await self._reader.fetch(_READ, limit)]

    async def close(self) -> None:
        """Ends the connection."""
        await self._reader.close()
