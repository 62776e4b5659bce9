"""Runs an ASGI application on uvicorn until the process is told to stop, and lets what is underway finish."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.types import ASGIApp

PATIENCE_SECONDS: Final = 2.0
"""What is underway when the process is told to stop may take this long before whoever waits is answered as it is."""
DRAIN_SECONDS_MAX: Final = 10
FAREWELL_SECONDS: Final = 1.0
"""So long whoever keeps a connection open may still ask there, and is told by the answer to open another one: closed at
once, it could be carrying a request that would never be read."""
KEEP_ALIVE_SECONDS: Final = 75
"""An idle connection is kept for longer than the usual client or proxy (60 s) keeps it: whoever closes first while the
other sends makes a request fail that was never read."""

_LOOK_SECONDS: Final = 0.05


def _nothing() -> None:
    """For applications that nobody turns away from, and whose answers wait for nothing."""


@dataclass(frozen=True)
class Farewell:
    """What an application is told of a stop.

    ``announce`` at once: whoever asks for its health is to hear of the stop. ``linger_seconds`` later no connection is
    taken any more: until then it serves on, so that a balancer can turn away first. ``end_waits`` some time after that,
    to answer whoever still waits.
    """

    announce: Callable[[], None] = _nothing
    linger_seconds: float = 0.0
    end_waits: Callable[[], None] = _nothing


class _Server(uvicorn.Server):
    """Uvicorn, its signals handled by us: it would raise them again, and so end the process before its parts are."""

    def __init__(self, config: uvicorn.Config, farewell: Farewell) -> None:
        super().__init__(config)
        self._farewell = farewell
        self._stopping = False

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Bids farewell, takes no more connections, and ends once the answers underway are sent; told twice, at
        once."""
        if self._stopping:
            self.force_exit = self.should_exit = True
            return
        self._stopping = True
        self._farewell.announce()
        if self._farewell.linger_seconds:
            asyncio.get_running_loop().call_later(self._farewell.linger_seconds, self._close)
        else:
            self._close()

    def _close(self) -> None:
        self.should_exit = True
        asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._farewell.end_waits)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for one in sockets or ():
            one.close()
        state, loop = self.server_state, asyncio.get_running_loop()
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        latest = loop.time() + FAREWELL_SECONDS
        while state.connections and not self.force_exit and loop.time() < latest:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_LOOK_SECONDS)
        await super().shutdown(sockets)


async def serve(app: ASGIApp, sockets: Sequence[socket.socket], farewell: Farewell | None = None) -> None:
    """Listens on bound sockets; returns after SIGTERM or SIGINT, and the farewell."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS_MAX,
    )
    await _Server(config, farewell or Farewell()).serve(list(sockets))
