"""Reads a stream queue on frames of our own: from some place on, as fast as what came is acknowledged.

For who counts all of a log, without a library's objects for each message. What only who looks at a log needs, times as
places and routing keys, ``StreamReader`` has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from struct import Struct as Layout
from typing import Any, Final, Literal

from msgspec import Struct

from workers.broker import lenient, methods
from workers.broker.channel import Channel, Listener, unexpected
from workers.broker.errors import BrokerLostError
from workers.broker.link import Link

Start = int | Literal["first", "last", "next"]
"""An offset, or the first message that there is, the last ones, the next that comes. Of a stream whose beginning has
been cut off, earlier offsets are the first; one that is still to come is waited for."""

_TAG: Final = Layout(">Q")
_FROM: Final = "x-stream-offset"


class StreamMessage(Struct, frozen=True):
    """A message as it stands in the stream. ``offset``: ``None`` where its sender's headers kept us from reading it."""

    tag: int
    offset: int | None
    message_id: str
    body: bytes


class FramedStream:
    """On a channel of its own. ``lost`` is set once nothing more comes from it."""

    def __init__(self, link: Link, take: Callable[[StreamMessage], None]) -> None:
        self.lost = asyncio.Event()
        self.reason = ""
        self._link = link
        self._take = take
        self._channel: Channel

    @classmethod
    async def open(
        cls, link: Link, queue: str, start: Start, take: Callable[[StreamMessage], None], *, prefetch: int
    ) -> FramedStream:
        """Begins to read: ``take`` gets each message, in order, up to ``prefetch`` before the first is acknowledged.

        Raises ``BrokerLostError``.
        """
        reader = cls(link, take)
        reader._channel = await link.channel(Listener(reader._on_content, reader._on_method, reader._lose))
        try:
            await reader._channel.call(methods.qos(prefetch), methods.BASIC_QOS_OK)
            await reader._channel.call(methods.consume(queue, arguments={_FROM: start}), methods.BASIC_CONSUME_OK)
        except BaseException:
            reader._channel.leave()
            raise
        return reader

    def ack(self, tag: int) -> None:
        """Makes room for as many messages more as came up to this tag."""
        if not self.lost.is_set():
            self._channel.write(self._channel.framer.ack(tag))

    async def close(self) -> None:
        """Reads no more; a broker that does not consent loses the whole connection."""
        self._lose("closed")
        try:
            await self._channel.close()
        except BrokerLostError as error:
            self.reason = f"{self.reason} ({error})"
            await self._link.close()

    def _lose(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.lost.set()

    def _on_content(self, carrier: bytes, header: bytes, body: bytes) -> None:
        if self.lost.is_set():
            return
        (tag,) = _TAG.unpack_from(carrier, 5 + carrier[4])  # behind the number and the consumer's own tag
        given, _ = lenient.read_properties(header)
        headers: dict[str, Any] = given[lenient.HEADERS] or {}
        offset = headers.get(_FROM)
        self._take(
            StreamMessage(tag, offset if isinstance(offset, int) else None, given[lenient.MESSAGE_ID] or "", body)
        )

    def _on_method(self, number: bytes, payload: bytes) -> None:
        if number != methods.BASIC_CANCEL:
            unexpected(number)
        self._lose("the broker cancelled the reader: the stream was deleted, or its leader is gone")
