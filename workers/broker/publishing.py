"""A publisher that is there again after each loss, on a connection of its own.

While the broker blocks publishers, that connection stands still and the ones that consume and answer do not.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from workers.broker.errors import BrokerLostError
from workers.broker.link import Link
from workers.broker.publisher import Publication, Publisher, Verdict

_log = structlog.get_logger(__name__)

CONFIRM_SECONDS: Final = 30.0
"""A broker that owes a confirm for longer, and was not blocked all that time, counts as lost; what it owes goes out
again."""
_LOOK_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = (0.2, 2.0)

Opened = Callable[[Publisher], None]


class Publishing:
    """Keeps one :class:`Publisher` open, made by ``open_on`` on a connection; ``on_open`` is called with each new one
    before anybody else gets it."""

    def __init__(
        self,
        url: str,
        name: str,
        on_open: Opened | None = None,
        open_on: Callable[[Link], Awaitable[Publisher]] | None = None,
    ) -> None:
        self._url = url
        self._name = name
        self._on_open = on_open
        self._open_on = open_on or Publisher.open
        self._publisher: Publisher | None = None
        self._opened = asyncio.Event()
        self._refused: Counter[str] = Counter()

    @property
    def refused(self) -> dict[str, int]:
        """The queues that do not take what must be kept, each with how much of it waits: they are full, or gone."""
        return {queue: number for queue, number in self._refused.items() if number}

    @property
    def connected(self) -> bool:
        """Whether there is a publisher now."""
        return self._publisher is not None

    @property
    def blocked(self) -> bool:
        """Whether the broker takes nothing from it now."""
        return self._publisher is not None and self._publisher.link.blocked

    async def run(self) -> None:
        """Opens, and opens again, until cancelled; then closes."""
        pause = _PAUSE_SECONDS[0]
        while True:
            try:
                await self._live()
                pause = _PAUSE_SECONDS[0]
            except BrokerLostError as error:
                _log.warning("publisher not connected", name=self._name, reason=str(error))
                pause = min(2 * pause, _PAUSE_SECONDS[1])
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  spreads the workers' attempts

    async def keep(self, message: Publication, otherwise: Publication | None = None) -> None:
        """Publishes until the broker has confirmed it. Where it refuses ``message``, ``otherwise`` takes its place."""
        verdict = await self._verdict(message)
        if verdict is not Verdict.CONFIRMED and otherwise is not None:
            message, verdict = otherwise, await self._verdict(otherwise)
        if verdict is not Verdict.CONFIRMED:
            await self._insist(message, verdict)

    async def offer(self, message: Publication) -> bool:
        """Publishes until the broker has said what becomes of it: whether it has confirmed it."""
        return await self._verdict(message) is Verdict.CONFIRMED

    async def once(self, messages: Sequence[Publication], within: float) -> list[Verdict]:
        """Publishes these once, in this order. ``LOST`` too is what has no verdict after ``within`` seconds, and all
        where there is no publisher now."""
        if self._publisher is None or not messages:
            return [Verdict.LOST] * len(messages)
        waiting = [self._sent(self._publisher, message) for message in messages]
        done, _ = await asyncio.wait(waiting, timeout=within)
        return [verdict.result() if verdict in done else Verdict.LOST for verdict in waiting]

    async def _insist(self, message: Publication, verdict: Verdict) -> None:
        """Again and again, slower and slower, until it is taken: it has no other memory."""
        pause = _PAUSE_SECONDS[0]
        self._refused[message.routing_key] += 1
        try:
            while verdict is not Verdict.CONFIRMED:
                _log.error("the broker does not take it", to=message.routing_key, verdict=verdict.value)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _PAUSE_SECONDS[1])
                verdict = await self._verdict(message)
        finally:
            self._refused[message.routing_key] -= 1

    async def _verdict(self, message: Publication) -> Verdict:
        """The broker's; a message whose fate nobody knows goes out again."""
        while (verdict := await self._once(message)) is Verdict.LOST:
            continue
        return verdict

    async def _once(self, message: Publication) -> Verdict:
        await self._opened.wait()
        if self._publisher is None:
            return Verdict.LOST
        return await self._sent(self._publisher, message)

    def _sent(self, publisher: Publisher, message: Publication) -> asyncio.Future[Verdict]:
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        publisher.publish(message, lambda value: None if verdict.done() else verdict.set_result(value))
        return verdict

    async def _live(self) -> None:
        link = await Link.open(self._url, self._name)
        try:
            publisher = await self._open_on(link)
            if self._on_open is not None:
                self._on_open(publisher)
            self._publisher = publisher
            self._opened.set()
            await _until_lost(publisher)
        finally:
            self._publisher = None
            self._opened.clear()
            await link.close()


async def _until_lost(publisher: Publisher) -> None:
    blocked_at = -math.inf
    while not publisher.lost.is_set():
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await publisher.lost.wait()
        except TimeoutError:
            if publisher.link.blocked:
                blocked_at = time.monotonic()
            elif (owed := min(publisher.overdue(), time.monotonic() - blocked_at)) > CONFIRM_SECONDS:
                _log.warning("the broker owes confirms for too long", seconds=owed)
                return
