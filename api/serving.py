"""Runs an ASGI application on uvicorn until the process is told to stop, and lets what is underway finish."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Generator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

DRAIN_SECONDS_MAX: Final = 35
"""A request may ask to wait 30 s for its reply."""


class _Server(uvicorn.Server):
    """Uvicorn, its signals handled by us: it would raise them again, and so end the process before its parts are."""

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


async def serve(app: ASGIApp, host: str, port: int) -> None:
    """Returns after SIGTERM or SIGINT."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS_MAX,
    )
    await _Server(config).serve()
