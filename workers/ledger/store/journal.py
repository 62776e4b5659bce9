"""The ledger as its own outbox: its rows behind a position, in order, for who publishes them as events."""

from __future__ import annotations

from typing import Final

from workers.ledger.happening import Happening
from workers.ledger.store import rows
from workers.ledger.store.reader import Reader
from workers.ledger.store.statements import statement

_READ: Final = statement("read_journal")


class Journal:
    """Reads on a connection of its own, beside the one that runs batches."""

    def __init__(self, url: str, *, application_name: str = "mana-journal") -> None:
        self._reader = Reader(url, application_name=application_name)

    async def read_after(self, partition: int, position: int, limit: int) -> list[Happening]:
        """The next ``limit`` rows of a partition behind ``position``, in order; an empty list is the end.

        Positions have no gaps, since they are given out under the lock of the partition's row.
        """
        found = await self._reader.fetch(_READ, partition, position, limit)
        return [rows.happening(row["body"]) for row in found]

    async def close(self) -> None:
        """Ends the connection."""
        await self._reader.close()
