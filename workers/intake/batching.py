"""What lies ready in all inlets becomes one batch: what is there now, up to a bound, no timer."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from workers.intake.inlet import Inlet
from workers.intake.reading import Item


class Portion(Struct, frozen=True):
    """One inlet's share of a batch: the next of its deliveries, in order."""

    inlet: Inlet
    items: list[Item]


class Ready:
    """The inlets that have something, each served in its turn."""

    def __init__(self) -> None:
        self._inlets: dict[Inlet, None] = {}
        self._some = asyncio.Event()

    def arrived(self, inlet: Inlet) -> None:
        """Notes that an inlet has something."""
        self._inlets[inlet] = None
        self._some.set()

    async def some(self) -> None:
        """Returns once there may be something to take."""
        await self._some.wait()

    def wake(self) -> None:
        """Lets :meth:`some` return though nothing came."""
        self._some.set()

    def take(self, limit: int) -> list[Portion]:
        """Whole inboxes while the limit allows; an inlet that has to leave something behind goes to the line's end."""
        portions: list[Portion] = []
        for inlet in list(self._inlets):
            if limit <= 0:
                break
            del self._inlets[inlet]
            items = inlet.take(limit)
            if items:
                portions.append(Portion(inlet, items))
                limit -= len(items)
            if inlet.waiting:
                self._inlets[inlet] = None
        if not self._inlets:
            self._some.clear()
        return portions
