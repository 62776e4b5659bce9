"""How much of what came in lies in our memory: a prefetch counts messages, and these may be of any size."""

from __future__ import annotations

from typing import Final

from workers.broker.wire import Wire

HELD_MAX: Final = 16 * 1024 * 1024
"""Bytes of bodies that wait for their acknowledgement: beyond that nothing more is read, until half of it is gone."""
LARGE: Final = 4096
"""Smaller bodies are not counted: all that a prefetch lets in of them is little."""


class Held:
    """Of one connection, whose reading it holds up."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._bytes = 0

    def add(self, size: int) -> None:
        """A body of so many bytes came in."""
        self._bytes += size
        if self._bytes > HELD_MAX:
            self._wire.pause_reading()

    def drop(self, size: int) -> None:
        """Bodies of so many bytes in all are done with."""
        self._bytes -= size
        if self._bytes <= HELD_MAX // 2:
            self._wire.resume_reading()
