"""One connection through a proxy."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable, Mapping
from typing import Final

from tests.faults.tools.line import Direction, LimitReachedError, Line, Pump

_RESETTING: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, for 0 s: a close sends RST, and drops what was not sent."""


class Connection:
    """A client's end and a server's end, with a pump each way."""

    def __init__(self, client: socket.socket, server: socket.socket, lines: Mapping[Direction, Line]) -> None:
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ends: dict[Direction, socket.socket] = {"up": server, "down": client}
        self._pumps: dict[Direction, Pump] = {
            "up": Pump(client, server, lines["up"]),
            "down": Pump(server, client, lines["down"]),
        }
        self._pumping = asyncio.create_task(self._pump())
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Until both sides have ended, or both are cut; a side that breaks off breaks off the other too."""
        await asyncio.wait({self._pumping})
        if self._pumping.cancelled():
            await self._over.wait()
        else:
            self._close(list(self._ends), reset=self._pumping.result())

    async def cut(self, directions: Iterable[Direction]) -> None:
        """RST to the ends in these directions. An end that is not cut stays, and hears nothing any more."""
        self._pumping.cancel()
        await asyncio.wait({self._pumping})
        self._close(directions, reset=True)
        if not self._ends:
            self._over.set()

    def fin(self, direction: Direction) -> None:
        """The end in this direction is told that nothing more comes."""
        if direction in self._ends and not self._pumping.done():
            self._pumps[direction].finish()

    async def _pump(self) -> bool:
        """Answers whether it ended by being broken off."""
        broken = False
        try:
            async with asyncio.TaskGroup() as group:
                for pump in self._pumps.values():
                    group.create_task(pump.run())
        except* (OSError, LimitReachedError):
            broken = True
        return broken

    def _close(self, directions: Iterable[Direction], *, reset: bool) -> None:
        for direction in directions:
            end = self._ends.pop(direction, None)
            if end is not None:
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING)
                end.close()
