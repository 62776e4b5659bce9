"""A TCP proxy that does to its connections what networks do.

async with Proxy.before(instance.addresses.amqp) as proxy:
    url = proxy.url(instance.addresses.amqp_as(WORKER_LOGIN))
    …
    async with proxy.down():    # connections are reset, new ones refused: as a server that is away
        await asyncio.sleep(30)

This is also how a server is "down for N seconds": the private instance's supervisor starts a killed one again at
once, so what must last is done here, in front of it, where it also does not lengthen the supervisor's pauses.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from ops import ports
from tests.faults.tools.connection import Connection
from tests.faults.tools.errors import ToolError
from tests.faults.tools.line import Direction, Line
from tests.faults.tools.steps import Step

_BOTH: Final[tuple[Direction, Direction]] = ("up", "down")
_HOST: Final = "127.0.0.1"


class Proxy:
    """Stands before one server, on a port of its own. Without a direction a fault takes both.

    ``accepted``: connections so far; ``cuts``: how many of them a fault of ours has reset.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = ports.choose(None, ())
        self.accepted = 0
        self.cuts = 0
        self._target = (host, port)
        self._lines: dict[Direction, Line] = {direction: Line() for direction in _BOTH}
        self._open: dict[Connection, asyncio.Task[None]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._plug: socket.socket | None = None
        self._accepting = False

    @classmethod
    def before(cls, url: str) -> Self:
        """A proxy before the server of this address."""
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ToolError(f"no host and port to stand before: {parts.scheme}://{parts.netloc.rpartition('@')[2]}")
        return cls(parts.hostname, parts.port)

    async def __aenter__(self) -> Self:
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deaf()
        for connecting in self._serving - set(self._open.values()):
            connecting.cancel()
        await self._cut_all(_BOTH)
        for outcome in await asyncio.gather(*self._serving, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    def url(self, original: str) -> str:
        """The same address, through this proxy."""
        parts = urlsplit(original)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}{_HOST}:{self.port}"))

    @property
    def connections(self) -> int:
        """How many are open now, halves of cut ones included."""
        return len(self._open)

    def bytes(self, direction: Direction) -> int:
        """How many have passed."""
        return self._lines[direction].passed

    async def cut(self, direction: Direction | None = None) -> int:
        """RST to the ends in this direction; the other end then stays, and hears nothing. Answers to how many.

        Raises ``ToolError`` where there was no connection.
        """
        cut = await self._cut_all(_of(direction))
        if not cut:
            raise ToolError("there was no connection to be cut")
        return cut

    def fin(self, direction: Direction) -> None:
        """Tells the ends in this direction that nothing more comes. Raises ``ToolError`` where there was none."""
        if not self._open:
            raise ToolError("there was no connection to be ended")
        for connection in self._open:
            connection.fin(direction)

    def freeze(self, direction: Direction | None = None) -> None:
        """Reads nothing and sends nothing until :meth:`thaw`; connections stay, and new ones are made, but silent."""
        for one in _of(direction):
            self._lines[one].flows.clear()

    def thaw(self, direction: Direction | None = None) -> None:
        """What was held back goes on, whole and in order."""
        for one in _of(direction):
            self._lines[one].flows.set()

    def delay(self, seconds: float, jitter: float = 0.0, direction: Direction | None = None) -> None:
        """Bytes arrive so much later, more or less by the jitter; order is kept."""
        for one in _of(direction):
            self._lines[one].delay, self._lines[one].jitter = seconds, jitter

    def bandwidth(self, bytes_per_second: float, direction: Direction | None = None) -> None:
        """Each connection passes no more than so much."""
        for one in _of(direction):
            self._lines[one].bytes_per_second = bytes_per_second

    def slice(self, size: int, direction: Direction | None = None) -> None:
        """Bytes arrive in pieces of so many."""
        for one in _of(direction):
            self._lines[one].slice_bytes = size

    def limit(self, size: int, direction: Direction) -> asyncio.Event:
        """Once ``size`` bytes more have passed, their connection is cut; then there is no limit any more.

        With 0, the next byte is not passed. Answers an event that is set when it happens: the proof.
        """
        line = self._lines[direction]
        line.limit, line.limit_reached = size, asyncio.Event()
        return line.limit_reached

    def limit_behind(self, marker: bytes, size: int) -> asyncio.Event:
        """As :meth:`limit` of what comes down, counted from when a client has sent ``marker``."""
        line = self._lines["down"]
        reached = line.limit_reached = asyncio.Event()

        def begin() -> None:
            line.limit = size

        self._lines["up"].marker, self._lines["up"].on_marker = marker, begin
        return reached

    def cut_in(self, step: Step, direction: Direction) -> None:
        """The next connection on which the step comes is cut in its middle; ``step.reached`` is the proof."""
        self._lines[direction].step = step

    async def blackhole(self) -> None:
        """Open connections fall silent, and nobody answers who connects: as if all packets were dropped."""
        self.freeze()
        self._deaf()
        self._listener = _bound(self.port, backlog=0)
        # The kernel accepts as many as fit into the queue, which this one fills.
        self._plug = socket.create_connection((_HOST, self.port))

    async def refuse(self) -> None:
        """Open connections are reset, and who connects is refused: as if no process were there."""
        self._deaf()
        await self._cut_all(_BOTH)

    async def restore(self) -> None:
        """No fault any more, for open connections and new ones."""
        for line in self._lines.values():
            line.clear()
        if not self._accepting:
            self._deaf()
            self._listen()

    @asynccontextmanager
    async def down(self) -> AsyncGenerator[None]:
        """:meth:`refuse` until the block ends."""
        await self.refuse()
        try:
            yield
        finally:
            await self.restore()

    def _listen(self) -> None:
        self._listener = _bound(self.port, backlog=1024)
        self._accepting = True
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _deaf(self) -> None:
        """Accepts nobody; the port is free then."""
        if self._accepting and self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._accepting = False
        for end in (self._plug, self._listener):
            if end is not None:
                end.close()
        self._plug = self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        """Takes one at once: a task that is cancelled while it waits would drop whom it has just been given."""
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # who came has gone again
        client.setblocking(False)
        self.accepted += 1
        serving = asyncio.create_task(self._serve(client))
        self._serving.add(serving)
        serving.add_done_callback(partial(self._forget, client))

    async def _serve(self, client: socket.socket) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        try:
            server = await _connected(self._target)
        except BaseException as error:
            client.close()  # nobody is there: the client finds its connection closed
            if isinstance(error, OSError):
                return
            raise
        connection = Connection(client, server, self._lines)
        self._open[connection] = serving
        try:
            await connection.run()
        finally:
            del self._open[connection]

    def _forget(self, client: socket.socket, serving: asyncio.Task[None]) -> None:
        client.close()  # also where its task was cancelled before it began
        if serving.cancelled() or serving.exception() is None:
            self._serving.discard(serving)

    async def _cut_all(self, directions: tuple[Direction, ...]) -> int:
        connections = list(self._open)
        for connection in connections:
            await connection.cut(directions)
        self.cuts += len(connections)
        return len(connections)


def _of(direction: Direction | None) -> tuple[Direction, ...]:
    return _BOTH if direction is None else (direction,)


async def _connected(target: tuple[str, int]) -> socket.socket:
    server = socket.socket()
    server.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(server, target)
    except BaseException:
        server.close()
        raise
    return server


def _bound(port: int, backlog: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_HOST, port))
    listener.listen(backlog)
    listener.setblocking(False)
    return listener
