"""Hears a queue whose messages are kept elsewhere before they are acknowledged: nothing else takes them off it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage

from workers.broker.calling import calling
from workers.broker.errors import BrokerLostError
from workers.broker.hearing import Hearing, as_it_is

_log = structlog.get_logger(__name__)

Keep = Callable[[bytes], Awaitable[None]]
"""Returns once a message's body is safe. It raises nothing: what cannot be kept yet waits, unacknowledged."""

_GRACE_SECONDS = 3.0
"""At the end: what is not kept by then comes again to the next process."""


class Inflow(Hearing):
    """Up to ``at_once`` messages are in hand, each acknowledged by itself: none waits for another's fate."""

    def __init__(self, url: str, queue: str, keep: Keep, *, at_once: int) -> None:
        super().__init__(url, queue, grace=_GRACE_SECONDS)
        self._keep = keep
        subscriber = self.subscriber(
            RabbitQueue(queue, declare=False),
            channel=Channel(prefetch_count=at_once),
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            decoder=as_it_is,
        )
        subscriber(self._take)

    async def _take(self, body: bytes, message: RabbitMessage) -> None:
        await self._keep(body)
        try:
            async with calling("an acknowledgement was not sent"):
                await message.ack()
        except BrokerLostError as error:  # it comes again, and is known by then
            _log.warning("a message that is kept comes again", queue=self.heard, reason=str(error))
