"""One connection to the broker that consumes a queue, or reads a stream."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

from bench.frames import methods
from bench.frames.content import Content
from bench.frames.errors import BrokerError
from bench.frames.handshake import CHANNEL, begin_consuming
from bench.frames.opening import open_line
from bench.frames.protocol import Line
from bench.frames.wire import Table, method


class Consumer:
    """Hands on each delivery; acknowledges when told."""

    def __init__(self, take: Callable[[int, bytes], None], lost: Callable[[BrokerError], None]) -> None:
        self._take = take
        self._lost = lost
        self.line = Line(self)

    def ack_up_to(self, tag: int) -> None:
        """Acknowledges this delivery and all before it."""
        self.line.say(method(CHANNEL, methods.BASIC_ACK, pack(">Q?", tag, True)))

    async def close(self) -> None:
        """Says goodbye, if there is somebody to say it to; what is unacknowledged comes again. Raises nothing."""
        await self.line.close()

    def settled(self, tag: int, multiple: bool, taken: bool) -> None:
        """The line's; nothing is published here."""

    def arrived(self, content: Content) -> None:
        """The line's: a delivery."""
        self._take(content.delivery_tag, content.body)

    def lost(self, error: BrokerError) -> None:
        """The line's: it is gone."""
        self._lost(error)


async def consume(
    url: str,
    queue: str,
    *,
    take: Callable[[int, bytes], None],
    lost: Callable[[BrokerError], None],
    prefetch: int = 1000,
    arguments: Table | None = None,
    heartbeat: int = 20,
) -> Consumer:
    """Gives each delivery's tag and body to ``take``; ``lost`` hears of the connection's end, unless we wanted it.

    ``arguments`` are the consumer's, such as ``x-stream-offset``. Raises ``BrokerError``.
    """
    consumer = Consumer(take, lost)
    await open_line(
        url, consumer.line, heartbeat, lambda: begin_consuming(consumer.line, queue, prefetch, arguments or {})
    )
    return consumer
