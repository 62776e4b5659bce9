"""Where a subscriber remembers how far it is."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Final, Protocol

from mana_client.errors import ManaError
from mana_client.events.model import Position


class PositionStore(Protocol):
    """Any place that keeps a position; a row of your own database, for example."""

    async def load(self) -> Position | None:
        """The position that was saved last; ``None`` before the first time."""
        ...

    async def save(self, position: Position) -> None:
        """Keeps it. Called once an event is handled, which is when the next one is asked for."""
        ...


class FileStore:
    """A position in a file, which is either the old one or the new one, also after a power cut.

    Only every so many positions are written (``every``); behind a crash, what was handled since then comes again.
    """

    def __init__(self, path: str | os.PathLike[str], *, every: int = 1) -> None:
        if every < 1:
            raise ValueError("every must be 1 or more")
        self._path: Final = Path(path)
        self._every: Final = every
        self._unsaved = 0

    async def load(self) -> Position | None:
        """Raises ``ManaError`` where there is something else in the file."""
        return await asyncio.to_thread(self._read)

    async def save(self, position: Position) -> None:
        """Raises ``OSError``."""
        self._unsaved += 1
        if self._unsaved >= self._every:
            await asyncio.to_thread(self._write, position)
            self._unsaved = 0

    def _read(self) -> Position | None:
        try:
            told = json.loads(self._path.read_bytes())
            return Position(int(told["offset"]), str(told["eventId"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ManaError(f"{self._path} holds no position: remove it to begin anew") from error

    def _write(self, position: Position) -> None:
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump({"offset": position.offset, "eventId": position.event_id}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
