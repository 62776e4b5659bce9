"""Hears a queue whose messages only say that there is something to do; what it is stands elsewhere.

A message is acknowledged once it was attended to, whatever came of that: whoever rings does it again for as long as
there is something to do. So nothing is rejected, nothing comes back at once and in circles, and a message that nobody
can read does not stay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitQueue

from workers.broker.hearing import Hearing, as_it_is

_log = structlog.get_logger(__name__)

OnMessage = Callable[[bytes], Awaitable[None]]
"""Attends to one message, by its body."""


class Bell(Hearing):
    """``at_once`` messages are attended to side by side."""

    def __init__(self, url: str, queue: str, on_message: OnMessage, *, at_once: int) -> None:
        super().__init__(url, queue)
        self._on_message = on_message
        subscriber = self.subscriber(
            RabbitQueue(queue, declare=False),
            channel=Channel(prefetch_count=at_once),
            ack_policy=AckPolicy.ACK,
            no_reply=True,
            decoder=as_it_is,
        )
        subscriber(self._attend)

    async def _attend(self, body: bytes) -> None:
        try:
            await self._on_message(body)
        except Exception:  # whatever is wrong with this one, the next is another's
            _log.exception("a bell came to nothing", queue=self.heard)
