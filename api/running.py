"""Loops that run beside whatever else a process does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

from api.errors import Unavailable


@asynccontextmanager
async def running(*loops: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    """Runs what ends only by being cancelled. A loop that fails cancels the block, and so ends the process: whoever
    supervises it starts it again, which is better than serving without that loop."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def again_and_again(step: Callable[[], Awaitable[None]], pause: float, tell: Callable[[str], None]) -> None:
    """Takes the step, and after so many seconds once more, until cancelled; ``tell`` hears why one was not possible."""
    while True:
        try:
            await step()
        except Unavailable as error:
            tell(str(error))
        await asyncio.sleep(pause)
