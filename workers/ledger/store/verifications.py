"""When the ledger was verified, and what was found: noted by whoever does it, read by whoever is to."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from workers.ledger.store.reopening import Reopening
from workers.ledger.store.statements import statement

_LAST: Final = statement("last_verification")
_NOTE: Final = statement("note_verification")


class Verification(Struct, frozen=True):
    """One that ended: when it began (seconds since 1970), how long it took and how long ago it began (seconds), and how
    many invariants it found broken."""

    begun_at: float
    seconds: float
    age_seconds: float
    broken: int


class Verifications:
    """The notes, on a connection of its own."""

    def __init__(self, url: str, *, application_name: str) -> None:
        self._connection = Reopening(url, application_name=application_name)

    async def last(self) -> Verification | None:
        """The last one that ended; ``None`` where there was none."""
        rows = await self._connection.fetch(_LAST)
        return Verification(**rows[0]) if rows else None

    async def note(self, took_seconds: float, broken: list[str]) -> None:
        """One that has just ended, and what it found broken."""
        await self._connection.fetch(_NOTE, took_seconds, broken)

    async def close(self) -> None:
        """Ends the connection."""
        await self._connection.close()
