"""A process around some work: FastStream's lifecycle, HTTP for health and metrics, signals, exit status."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from types import FrameType
from typing import Protocol

import structlog
import uvicorn
from faststream.asgi import AsgiFastStream
from faststream.asgi.types import ASGIApp

from contracts.handed_sockets import handed
from workers.broker.lazy import LazyBroker
from workers.process_settings import ProcessSettings, SettingsError

_log = structlog.get_logger(__name__)


class Work(Protocol):
    """What a process is for."""

    async def run(self) -> None:
        """Works until stopped; raises what it must refuse to run on."""
        ...

    def stop(self) -> None:
        """Begins to end. May be repeated."""
        ...


class Together:
    """Several works in one process: each until stopped, and where one refuses to run on, all end."""

    def __init__(self, *parts: Work) -> None:
        self._parts = parts

    async def run(self) -> None:
        """As ``Work`` says."""
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(part.run())

    def stop(self) -> None:
        """As ``Work`` says."""
        for part in self._parts:
            part.stop()


class Process:
    """Runs some work, with FastStream's ``broker`` as part of the application.

    It listens where its settings say, unless a launcher handed it sockets: ``SettingsError`` where those are none.
    """

    def __init__(
        self, work: Work, broker: LazyBroker, routes: Sequence[tuple[str, ASGIApp]], settings: ProcessSettings
    ) -> None:
        self._work = work
        self._failed = False
        try:
            self._sockets = handed()
        except ValueError as error:
            raise SettingsError(str(error)) from error
        application = AsgiFastStream(broker, asgi_routes=routes, lifespan=self._lifespan, logger=None)
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                host=str(settings.mana_bind_host),
                port=settings.metrics_port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )

    async def run(self) -> int:
        """Serves until a signal comes, or the work refuses to run; ends it in order; answers the exit status."""
        # uvicorn raises the signal again when it is through: by then it has been obeyed.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _obeyed)
        await self._server.serve(self._sockets or None)
        return 1 if self._failed else 0

    @asynccontextmanager
    async def _lifespan(self) -> AsyncGenerator[None]:
        working = asyncio.create_task(self._work.run())
        working.add_done_callback(self._on_done)
        yield
        self._work.stop()
        await asyncio.wait({working})

    def _on_done(self, working: asyncio.Task[None]) -> None:
        error = None if working.cancelled() else working.exception()
        if error is not None:
            _log.critical("refuses to run", reason=_told(error), exc_info=error)
            self._failed = True
        self._server.should_exit = True


def _obeyed(_number: int, _frame: FrameType | None) -> None:
    """Nothing more to do."""


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(part) for part in error.exceptions)
    return f"{type(error).__name__}: {error}"
