"""Reading a stream queue through the library: from any place on, in order, taking nothing out of it.

For who looks at a log: it begins also at times, and hands out an entry's routing key, neither of which our own frames
do. ``FramedStream`` is for who counts all of a log, without a library's objects for each message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from workers.broker.calling import calling
from workers.broker.errors import BrokerLostError

_PREFETCH: Final = 500

Offset: TypeAlias = int | str | datetime
"""A message's number; ``first``, ``last`` (chunk) or ``next``; a time, and then the chunk that holds it."""


class Entry(NamedTuple):
    """A message, its place, and the routing key that it was published with."""

    offset: int
    routing_key: str
    body: bytes


class StreamReader:
    """Hands out entries one by one. Whoever asks for the next one is done with the one before."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        self._given: AbstractIncomingMessage | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, name: str, offset: Offset) -> AsyncGenerator[StreamReader]:
        """A reader on a connection of its own. Raises ``BrokerLostError`` where the stream cannot be read."""
        reader = cls()
        async with calling("the broker cannot be reached"):
            connection = await aio_pika.connect(url)
        try:
            async with calling(f"{name} cannot be read"):
                channel = await connection.channel()
                channel.close_callbacks.add(reader._on_closed)
                await channel.set_qos(prefetch_count=_PREFETCH)  # a stream is not read without a bound
                queue = await channel.get_queue(name, ensure=False)
                await queue.consume(reader._arrived.put, arguments={"x-stream-offset": offset})
            yield reader
        finally:
            await connection.close()

    async def next(self) -> Entry:
        """The next entry, once there is one. May be given up. Raises ``BrokerLostError``."""
        if self._given is not None:
            given, self._given = self._given, None
            async with calling("the connection was lost"):
                await given.ack()  # asks for more; the stream keeps the message
        message = await self._arrived.get()
        if message is None:
            raise BrokerLostError("the connection was lost")
        self._given = message
        return Entry(int(str(message.headers["x-stream-offset"])), message.routing_key or "", message.body)

    def _on_closed(self, _channel: Any, _reason: BaseException | None) -> None:
        self._arrived.put_nowait(None)
