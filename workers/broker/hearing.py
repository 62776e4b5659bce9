"""Hears one queue for as long as the process lives, through FastStream's broker, which is the application's."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from faststream.message import StreamMessage

from workers.broker.calling import calling
from workers.broker.channel import CLOSE_SECONDS
from workers.broker.errors import BrokerLostError
from workers.broker.lazy import LazyBroker

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 1.0
_GRACE_SECONDS: Final = 10.0
"""For what is in hand when the process ends."""


class Hearing(LazyBroker):
    """``queue`` must exist: nothing is declared. What is done with a message is for who derives from it to say."""

    def __init__(self, url: str, queue: str, *, grace: float = _GRACE_SECONDS) -> None:
        super().__init__(url, graceful_timeout=grace)
        self.heard = queue
        self._grace = grace
        self._problem: str | None = "not connected yet"

    @property
    def problem(self) -> str | None:
        """Why nothing is heard now; ``None`` while the queue is heard."""
        if self._problem is None and not self._is_connected():
            return "not connected"
        return self._problem

    async def listen(self) -> None:
        """Begins to hear, trying until it can; lost connections come back by themselves. Ends only by being cancelled,
        and stops hearing then."""
        try:
            while True:
                if await self._begun():
                    await asyncio.Event().wait()
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            await self._give_up()

    async def _begun(self) -> bool:
        try:
            async with calling(f"{self.heard} cannot be heard"):
                await self.start_now()
        except BrokerLostError as error:
            _log.warning("a queue waits for the broker", queue=self.heard, reason=str(error))
            self._problem = str(error)
            await self._give_up()
            return False
        self._problem = None
        return True

    async def _give_up(self) -> None:
        """What broke off has left the connection in any state; the next try gets a new one."""
        try:
            async with calling("the connection was not closed", self._grace + CLOSE_SECONDS):
                await self.stop()
        except BrokerLostError as error:
            _log.warning("no goodbye", queue=self.heard, reason=str(error))

    def _is_connected(self) -> bool:
        connection = self._connection
        return connection is not None and connection.connected.is_set()


async def as_it_is(message: StreamMessage[object]) -> bytes:
    """A decoder: one that finds fault with a message would keep it from being acknowledged."""
    return message.body
