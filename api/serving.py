"""Runs an ASGI application on uvicorn until the process is told to stop, and lets what is underway finish."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from typing import Final

import uvicorn
from starlette.types import ASGIApp

PATIENCE_SECONDS: Final = 2.0
"""What is underway when the process is told to stop may take this long before whoever waits is answered as it is."""
DRAIN_SECONDS_MAX: Final = 10
KEEP_ALIVE_SECONDS: Final = 75
"""An idle connection is kept for longer than the usual client or proxy (60 s) keeps it: whoever closes first while the
other sends makes a request fail that was never read."""


class _Server(uvicorn.Server):
    """Uvicorn, its signals handled by us: it would raise them again, and so end the process before its parts are."""

    def __init__(self, config: uvicorn.Config, on_impatience: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_impatience = on_impatience

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
        """Takes no more connections, and ends once the answers underway are sent; told twice, at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._on_impatience)


def _nobody_waits() -> None:
    """For applications whose answers wait for nothing."""


async def serve(
    app: ASGIApp, sockets: Sequence[socket.socket], on_impatience: Callable[[], None] = _nobody_waits
) -> None:
    """Listens on bound sockets; returns after SIGTERM or SIGINT. ``on_impatience`` is called some time after, to end
    what still waits."""
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
    await _Server(config, on_impatience).serve(list(sockets))
