"""The connection that commands come in on and replies go out on, made again after each loss."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

import structlog

from workers.broker.errors import BrokerLostError
from workers.broker.link import Link
from workers.broker.reply_nodes import reply_nodes

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = (0.2, 2.0)


class CommandLink:
    """One link at a time. ``single_node``: the broker is one node, so only that one's reply-to tokens are genuine."""

    def __init__(self, url: str, name: str, *, single_node: bool = False) -> None:
        self.reply_nodes: frozenset[int] | None = None
        """The nodes whose reply-to tokens may be answered, learnt at connecting; ``None`` where any may."""
        self._url = url
        self._name = name
        self._single_node = single_node
        self._link: Link | None = None
        self._opened = asyncio.Event()
        self._down_since = time.monotonic()

    @property
    def connected(self) -> bool:
        """Whether there is a link now."""
        return self._link is not None

    @property
    def blocked(self) -> bool:
        """Whether the broker takes nothing from it now."""
        return self._link is not None and self._link.blocked

    @property
    def down_for(self) -> float:
        """How long there has been no link, in seconds."""
        return 0.0 if self._link is not None else time.monotonic() - self._down_since

    async def up(self) -> Link:
        """The link, once there is one."""
        while self._link is None:
            await self._opened.wait()
        return self._link

    async def run(self) -> None:
        """Connects, and connects again, until cancelled; then closes."""
        pause = _PAUSE_SECONDS[0]
        while True:
            try:
                await self._live()
                pause = _PAUSE_SECONDS[0]
            except BrokerLostError as error:
                _log.warning("not connected", reason=str(error))
                pause = min(2 * pause, _PAUSE_SECONDS[1])
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  spreads the workers' attempts

    async def _live(self) -> None:
        link = await Link.open(self._url, self._name)
        try:
            if self._single_node:
                self.reply_nodes = await reply_nodes(link)
            self._link = link
            self._opened.set()
            await link.lost.wait()
            _log.warning("connection lost", reason=link.reason)
        finally:
            self._link = None
            self._opened.clear()
            self._down_since = time.monotonic()
            await link.close()
