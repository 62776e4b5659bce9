"""Accounts whose lots have expired while nobody asked: whom the clock wakes."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from workers.ledger.store.reader import Reader
from workers.ledger.store.statements import statement

_READ: Final = statement("read_expired")


class ExpiredLot(Struct, frozen=True):
    """A lot that has expired and is not posted yet. ``expires_at`` is as the database writes it, to the microsecond."""

    account_id: str
    lot_id: str
    expires_at: str


_BEFORE_ALL: Final = ExpiredLot("", "00000000-0000-0000-0000-000000000000", "-infinity")


class ExpiredLots:
    """Reads on a connection of its own; what it finds is posted by a command, never from here."""

    def __init__(self, url: str, *, application_name: str = "mana-clock") -> None:
        self._reader = Reader(url, application_name=application_name)

    async def read(self, limit: int, after: ExpiredLot | None = None) -> list[ExpiredLot]:
        """The ``limit`` lots that expired longest ago and are not posted yet; with ``after``, the next ones."""
        start = after or _BEFORE_ALL
        rows = await self._reader.fetch(_READ, limit, start.expires_at, start.lot_id)
        return [ExpiredLot(**row) for row in rows]

    async def close(self) -> None:
        """Ends the connection."""
        await self._reader.close()
