"""What runs in the background for as long as a process lives: if it ends by itself, the process must not go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping

import structlog

_log = structlog.get_logger(__name__)


class BackgroundEndedError(Exception):
    """A part that should have lasted has ended; the supervisor starts the process again."""


class Background:
    """Tasks that nobody awaits. ``on_end`` is called when one ends before :meth:`close`, with or without an error."""

    def __init__(self, parts: Mapping[str, Coroutine[None, None, None]], on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._closing = False
        self._ended: list[str] = []
        self._tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
        for task in self._tasks:
            task.add_done_callback(self._on_done)

    async def close(self) -> None:
        """Ends them all. Raises ``BackgroundEndedError`` where one had ended already."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        if self._ended:
            raise BackgroundEndedError("ended by itself: " + ", ".join(self._ended))

    def _on_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if self._closing:
            if error is not None:
                _log.error("not ended in order", part=task.get_name(), exc_info=error)
            return
        _log.critical("a part ended by itself: so does the process", part=task.get_name(), exc_info=error)
        self._ended.append(task.get_name())
        self._on_end()
