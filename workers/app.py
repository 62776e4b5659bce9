"""The process around a worker: FastStream's lifecycle, HTTP for health and metrics, signals, exit status."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import FrameType

import structlog
import uvicorn
from faststream.asgi import AsgiFastStream

from workers.health import routes
from workers.meters import Meters
from workers.settings import Settings
from workers.worker import Worker

_log = structlog.get_logger(__name__)


class App:
    """A ledger worker as a process. :meth:`run` answers its exit status."""

    def __init__(self, settings: Settings) -> None:
        self._worker = Worker(settings, Meters())
        self._failed = False
        application = AsgiFastStream(asgi_routes=routes(self._worker), lifespan=self._lifespan, logger=None)
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                host="127.0.0.1",
                port=settings.metrics_port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )

    async def run(self) -> int:
        """Serves until a signal comes, or the worker refuses to run; drains; 0 when all went well."""
        # uvicorn raises the signal again when it is through: by then it has been obeyed.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _obeyed)
        await self._server.serve()
        return 1 if self._failed else 0

    @asynccontextmanager
    async def _lifespan(self) -> AsyncGenerator[None]:
        working = asyncio.create_task(self._worker.run())
        working.add_done_callback(self._on_done)
        yield
        self._worker.stop()
        await asyncio.wait({working})

    def _on_done(self, working: asyncio.Task[None]) -> None:
        error = None if working.cancelled() else working.exception()
        if error is not None:
            _log.critical("the worker refuses to run", reason=_told(error), exc_info=error)
            self._failed = True
        self._server.should_exit = True


def _obeyed(_number: int, _frame: FrameType | None) -> None:
    """Nothing more to do."""


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(part) for part in error.exceptions)
    return f"{type(error).__name__}: {error}"
