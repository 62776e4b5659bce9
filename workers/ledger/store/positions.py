"""Where in the ledger is what: the partitions' last rows, and the row of a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from workers.ledger.happening import Happening
from workers.ledger.store import rows
from workers.ledger.store.reader import Reader
from workers.ledger.store.statements import statement

_HEADS: Final = statement("read_heads")
_MOMENT: Final = statement("read_moment")
_READ: Final = statement("read_journal")
_READ_OF: Final = statement("read_journal_of")


class Positions:
    """Reads on a connection of its own."""

    def __init__(self, url: str, *, application_name: str) -> None:
        self._reader = Reader(url, application_name=application_name)

    async def heads(self) -> dict[int, int]:
        """Each partition's last position; 0 where there is no row."""
        return {row["partition"]: row["position"] for row in await self._reader.fetch(_HEADS)}

    async def first_since(self, partition: int, head: int, since: datetime) -> int:
        """The first position of a row that was written at that time or later; ``head + 1`` where there is none.

        By halving: positions have no gaps, and later ones were not written earlier, but for leaps of the clock.
        """
        low, high = 1, head + 1
        while low < high:
            middle = (low + high) // 2
            written = await self._reader.fetch_value(_MOMENT, partition, middle)
            if written < since:
                low = middle + 1
            else:
                high = middle
        return low

    async def read_after(self, partition: int, position: int, limit: int, account: str | None) -> list[Happening]:
        """The next rows of a partition behind ``position``, in order; those of one account alone where one is named."""
        if account is None:
            found = await self._reader.fetch(_READ, partition, position, limit)
        else:
            found = await self._reader.fetch(_READ_OF, partition, position, limit, account)
        return [rows.happening(row["body"]) for row in found]

    async def close(self) -> None:
        """Ends the connection."""
        await self._reader.close()
