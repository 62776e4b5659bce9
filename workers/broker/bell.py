"""Hears a queue whose messages only say that there is something to do; what it is stands elsewhere.

The rate is low, so this is FastStream's broker, and the application's. A message is acknowledged once it was attended
to, whatever came of that: whoever rings does it again for as long as there is something to do. So nothing is rejected,
nothing comes back at once and in circles, and a message that nobody can read does not stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from faststream import AckPolicy
from faststream.message import StreamMessage
from faststream.rabbit import Channel, RabbitQueue

from workers.broker.calling import calling
from workers.broker.channel import CLOSE_SECONDS
from workers.broker.errors import BrokerLostError
from workers.broker.lazy import LazyBroker

_log = structlog.get_logger(__name__)

OnMessage = Callable[[bytes], Awaitable[None]]
"""Attends to one message, by its body."""

_PAUSE_SECONDS: Final = 1.0
_GRACE_SECONDS: Final = 10.0
"""For what is in hand when the process ends."""


class Bell(LazyBroker):
    """Hears ``queue``, which must exist: it declares nothing. ``at_once`` messages are attended to side by side."""

    def __init__(self, url: str, queue: str, on_message: OnMessage, *, at_once: int) -> None:
        super().__init__(url, graceful_timeout=_GRACE_SECONDS)
        self._queue = queue
        self._on_message = on_message
        self._problem: str | None = "not connected yet"
        subscriber = self.subscriber(
            RabbitQueue(queue, declare=False),
            channel=Channel(prefetch_count=at_once),
            ack_policy=AckPolicy.ACK,
            no_reply=True,
            decoder=_body,
        )
        subscriber(self._attend)

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
            async with calling(f"{self._queue} cannot be heard"):
                await self.start_now()
        except BrokerLostError as error:
            _log.warning("bells wait for the broker", queue=self._queue, reason=str(error))
            self._problem = str(error)
            await self._give_up()
            return False
        self._problem = None
        return True

    async def _give_up(self) -> None:
        """What broke off has left the connection in any state; the next try gets a new one."""
        try:
            async with calling("the connection of bells was not closed", _GRACE_SECONDS + CLOSE_SECONDS):
                await self.stop()
        except BrokerLostError as error:
            _log.warning("no goodbye", reason=str(error))

    async def _attend(self, body: bytes) -> None:
        try:
            await self._on_message(body)
        except Exception:  # whatever is wrong with this one, the next is another's
            _log.exception("a bell came to nothing", queue=self._queue)

    def _is_connected(self) -> bool:
        connection = self._connection
        return connection is not None and connection.connected.is_set()


async def _body(message: StreamMessage[object]) -> bytes:
    """As it is: a reader that finds fault with a message would keep it from being acknowledged."""
    return message.body
