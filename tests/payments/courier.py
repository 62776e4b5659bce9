"""Carries events to the webhook as Stripe does: signed, and again until each delivery is answered with 200."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.integration.api.stripe_events import deliver

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_SILENT: Final = 0

Nemesis = Sequence[tuple[float, Callable[[], Awaitable[object]]]]
"""What is done once such a share of the deliveries was taken, one after the other."""


@dataclass
class Told:
    """What came of deliveries. ``answers``: by status, 0 where there was none; ``events``: those answered with 200."""

    deliveries: int = 0
    answers: Counter[int] = field(default_factory=Counter[int])
    events: set[str] = field(default_factory=set[str])
    seconds: float = 0.0

    @property
    def again(self) -> int:
        """How many tries were not taken, and had to be made again."""
        return self.answers.total() - self.answers[200]


class Courier:
    """So many deliveries are under way ``at_once``."""

    def __init__(self, http: httpx.AsyncClient, *, at_once: int = 32) -> None:
        self._http = http
        self._at_once = at_once

    async def carry(self, events: Sequence[dict[str, Any]], nemesis: Nemesis = ()) -> Told:
        """Returns once each was taken, and the nemesis has done everything. They begin in the order given."""
        loop = asyncio.get_running_loop()
        told, began = Told(), loop.time()
        left = deque((event["id"], json.dumps(event, indent=2, ensure_ascii=False).encode()) for event in events)
        taken = [asyncio.Event() for _ in nemesis]
        marks = [round(share * len(events)) for share, _ in nemesis]

        async def one_after_another() -> None:
            while left:
                name, body = left.popleft()
                await self._until_taken(body, told)
                told.deliveries += 1
                told.events.add(name)
                reached()

        def reached() -> None:
            for mark, event in zip(marks, taken, strict=True):
                if told.deliveries >= mark:
                    event.set()

        async def strike() -> None:
            for event, (_, act) in zip(taken, nemesis, strict=True):
                await event.wait()
                await act()

        reached()
        async with asyncio.TaskGroup() as group:
            group.create_task(strike())
            for _ in range(self._at_once):
                group.create_task(one_after_another())
        told.seconds = loop.time() - began
        return told

    async def _until_taken(self, body: bytes, told: Told) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                status = (await deliver(self._http, body)).status_code
            except httpx.TransportError:
                status = _SILENT
            told.answers[status] += 1
            if status == 200:
                return
            assert status in (_SILENT, 503), status
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
