"""A channel whose frames we see before the library does.

The library makes a task for each delivery and cancels it when the channel dies, and a future for each
confirm. Deliveries, confirms and returns are therefore taken off as frames; all else (declarations, closes, cancels)
stays the library's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiormq
from aiormq.abc import FrameType

Frame = Any
"""A method, content header or body as pamqp decoded it."""

FrameTaker = Callable[[Frame], bool]
"""Looks at a frame as it arrives; true when it took it, so that the library does not see it."""


class _Tap(asyncio.Queue[tuple[int, FrameType]]):
    def __init__(self, take: FrameTaker) -> None:
        super().__init__()
        self._take = take

    async def put(self, item: tuple[int, FrameType]) -> None:
        if not self._take(item[1]):
            await super().put(item)


class TappedChannel(aiormq.Channel):
    """Begins like any channel; its reader starts on the next turn of the loop, and finds our queue in place."""

    def __init__(self, connection: aiormq.Connection, number: int, take: FrameTaker, *, confirms: bool) -> None:
        super().__init__(connection, number, publisher_confirms=confirms)
        self.frames = _Tap(take)
