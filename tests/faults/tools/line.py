"""One way through a proxy: what becomes of the bytes that go along it."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.faults.tools.steps import Step

Direction = Literal["up", "down"]
"""``up``: from the client to the server."""

_CHUNK_BYTES: Final = 65_536
_WAITING_CHUNKS: Final = 64
"""So many chunks may be under way; then the sender is not read from any more, as on a real line."""
_SLICE_SECONDS: Final = 0.001
"""Between two slices, so that the receiver does not find them joined."""


class LimitReachedError(Exception):
    """The last byte that was to pass has passed."""


@dataclass
class Line:
    """How bytes fare that go one way, on all connections of a proxy; may be changed while they flow.

    ``delay`` and ``jitter`` in seconds; ``limit``: so many bytes still pass, then their connection is cut, and there
    is no limit any more; ``passed``: bytes so far; ``marker``: the bytes at whose passing ``on_marker`` is called once;
    ``step``: in the middle of the next one of it the connection that it comes on is cut.
    """

    delay: float = 0.0
    jitter: float = 0.0
    bytes_per_second: float | None = None
    slice_bytes: int | None = None
    limit: int | None = None
    passed: int = 0
    marker: bytes | None = None
    on_marker: Callable[[], None] | None = None
    step: Step | None = None
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    limit_reached: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.flows.set()

    def clear(self) -> None:
        """Bytes pass as if there were no proxy."""
        self.delay = self.jitter = 0.0
        self.bytes_per_second = self.slice_bytes = self.limit = self.marker = self.on_marker = None
        self.step = None
        self.flows.set()

    def lag(self) -> float:
        """How long the next chunk takes, in seconds."""
        return max(0.0, self.delay + random.uniform(-self.jitter, self.jitter))

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The data as it is to be sent."""
        begin = 0
        while begin < len(data):
            end = begin + (self.slice_bytes or len(data))
            yield data[begin:end]
            begin = end

    def look(self, piece: bytes) -> None:
        """Calls ``on_marker`` where the piece holds the marker; a marker torn in two is not seen."""
        if self.marker is not None and self.marker in piece and self.on_marker is not None:
            self.marker = None
            self.on_marker()

    def admit(self, size: int) -> int:
        """How many of so many bytes may pass; they count as passed."""
        if self.limit is not None:
            size = min(size, self.limit)
            self.limit -= size
        self.passed += size
        return size

    def exhausted(self) -> bool:
        """Whether the limit has been reached; told once."""
        if self.limit != 0:
            return False
        self.limit = None
        self.limit_reached.set()
        return True

    def cut_in(self, piece: bytes) -> int | None:
        """How many bytes of the piece pass before the step's cut; ``None`` where there is none. Told once."""
        passing = None if self.step is None else self.step.passes(piece)
        if self.step is not None and passing is not None:
            self.step.reached.set()
            self.step = None
        return passing

    def pause(self, size: int) -> float:
        """How long the line is busy with so many bytes, in seconds."""
        busy = size / self.bytes_per_second if self.bytes_per_second else 0.0
        return max(busy, _SLICE_SECONDS if self.slice_bytes else 0.0)


class Pump:
    """Carries one connection's bytes one way, at the pace of its line. Raises ``OSError``, ``LimitReachedError``."""

    def __init__(self, source: socket.socket, sink: socket.socket, line: Line) -> None:
        self._source = source
        self._sink = sink
        self._line = line
        self._under_way = asyncio.Queue[tuple[float, bytes]](_WAITING_CHUNKS)
        self._finished = False

    async def run(self) -> None:
        """Until the source has ended, and the sink has been told so."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive())
            group.create_task(self._send())

    def finish(self) -> None:
        """Tells the sink that nothing more comes; what comes all the same is lost."""
        if not self._finished:
            self._finished = True
            self._sink.shutdown(socket.SHUT_WR)

    async def _receive(self) -> None:
        loop, due = asyncio.get_running_loop(), 0.0
        while True:
            await self._line.flows.wait()
            data = await loop.sock_recv(self._source, _CHUNK_BYTES)
            due = max(due, loop.time() + self._line.lag())  # nobody overtakes
            await self._under_way.put((due, data))
            if not data:
                return

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self._under_way.get()
            if (early := due - loop.time()) > 0:
                await asyncio.sleep(early)
            await self._line.flows.wait()
            if not data:
                self.finish()
                return
            for piece in self._line.pieces(data):
                await self._pass(piece)

    async def _pass(self, piece: bytes) -> None:
        await self._line.flows.wait()
        if self._finished:
            return
        self._line.look(piece)
        cut = self._line.cut_in(piece)
        admitted = self._line.admit(len(piece) if cut is None else cut)
        await asyncio.get_running_loop().sock_sendall(self._sink, piece[:admitted])
        if self._line.exhausted() or cut is not None:
            raise LimitReachedError
        if pause := self._line.pause(admitted):
            await asyncio.sleep(pause)
