"""One partition's channel: its deliveries in order, and the one way back for replies and acknowledgements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec import Struct
from pamqp import commands as spec
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from contracts.decoding import Envelope
from contracts.replies import CONTENT_TYPE, REPLY_TYPE
from workers.broker import lenient
from workers.broker.calling import calling
from workers.broker.errors import BrokerLostError
from workers.broker.frames import Framer, properties
from workers.broker.link import CLOSE_SECONDS, Link
from workers.broker.tap import Frame, TappedChannel

_DEFAULT_EXCHANGE: Final = ""


class Delivery(Struct, frozen=True):
    """A message as it came. ``returns``: how often it went back to the queue before. ``damaged``: a property of it
    that could not be read as its sender meant it."""

    tag: int
    envelope: Envelope
    body: bytes
    returns: int
    damaged: str | None


class Reply(Struct, frozen=True):
    """A reply to be sent by the default exchange; ``headers`` only where there are some."""

    to: str
    correlation_id: str
    headers: dict[str, str] | None
    body: bytes


class Consumer:
    """Consumes one queue on a channel of its own. ``lost`` is set once nothing more comes from it.

    Deliveries come right behind the broker's consent, before :meth:`subscribe` returns: who takes them must be whole
    by then, so opening and subscribing are two steps.
    """

    def __init__(self, link: Link, take: Callable[[Delivery], None]) -> None:
        self.lost = asyncio.Event()
        self.reason = ""
        self._link = link
        self._take = take
        self._channel: TappedChannel
        self._framer: Framer
        self._deliver: spec.Basic.Deliver | None = None
        self._header: ContentHeader | None = None
        self._parts: list[bytes] = []
        self._missing = 0

    @classmethod
    async def open(cls, link: Link, take: Callable[[Delivery], None]) -> Consumer:
        """Opens the channel; ``take`` will get each delivery, in order. Raises ``BrokerLostError``."""
        consumer = cls(link, take)
        channel = consumer._channel = await link.channel(consumer._on_frame)
        consumer._framer = Framer(channel.number, link.frame_max)
        channel.closing.add_done_callback(consumer._on_closed)
        channel.on_consumer_cancel_callbacks.add(consumer._on_cancelled)
        return consumer

    async def subscribe(self, queue: str, prefetch: int) -> None:
        """Begins to consume. Raises ``BrokerLostError``; the channel is then still to be closed."""
        async with calling(f"{queue}: not consuming"):
            await self._channel.basic_qos(prefetch_count=prefetch)
            await self._channel.basic_consume(queue, _nothing)

    def frame(self, reply: Reply) -> bytes:
        """A reply as it will leave this channel. Raises ``ValueError`` for text that no frame holds."""
        return self._framer.publish(_DEFAULT_EXCHANGE, reply.to, _header(reply), reply.body, mandatory=False)

    def answer(self, frames: Iterable[bytes]) -> None:
        """Sends framed replies, in this order. One whose address is gone is dropped by the broker."""
        self._write(b"".join(frames))

    def ack(self, tag: int) -> None:
        """Acknowledges every delivery up to this tag, behind the replies sent before."""
        self._write(self._framer.ack(tag))

    async def close(self) -> None:
        """Closes the channel: the broker takes back what is unacknowledged, in order.

        A broker that does not answer still counts us as the consumer, so then the whole connection goes.
        """
        self._link.flush()
        self._lose("closed")
        try:
            async with calling("no goodbye", CLOSE_SECONDS):
                await self._channel.close()
        except BrokerLostError as error:
            self.reason = f"{self.reason} ({error})"
            if isinstance(error.__cause__, TimeoutError):
                await self._link.close()

    def _write(self, data: bytes) -> None:
        if data and not self.lost.is_set():
            self._link.write(data)

    def _on_frame(self, frame: Frame) -> bool:
        kind = type(frame)
        if kind is spec.Basic.Deliver:
            self._deliver, self._header = frame, None
            return True
        if self._deliver is None:
            return False
        if kind is ContentHeader:
            self._header, self._missing = frame, frame.body_size
        elif kind is ContentBody:
            self._parts.append(frame.value)
            self._missing -= len(frame.value)
        else:
            return False
        if self._missing == 0:
            self._finish(self._deliver)
        return True

    def _finish(self, deliver: spec.Basic.Deliver) -> None:
        header, parts = self._header, self._parts
        self._deliver, self._header, self._parts = None, None, []
        if header is not None and not self.lost.is_set():
            self._take(_delivery(deliver, header, parts[0] if len(parts) == 1 else b"".join(parts)))

    def _on_cancelled(self, _: spec.Basic.Cancel) -> None:
        self._lose("the broker cancelled the consumer: the queue was deleted, or its leader is gone")

    def _on_closed(self, closing: asyncio.Future[Any]) -> None:
        cause = None if closing.cancelled() else closing.exception()
        self._lose(str(cause) if cause else "closed")

    def _lose(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.lost.set()


def _delivery(deliver: spec.Basic.Deliver, header: ContentHeader, body: bytes) -> Delivery:
    given = header.properties
    headers: dict[str, Any] = given.headers or {}
    routing_key = deliver.routing_key or ""
    returns = headers.get("x-delivery-count", 0)
    envelope = Envelope(
        routing_key=routing_key,
        type=given.message_type,
        login=given.user_id,
        content_encoding=given.content_encoding,
        correlation_id=given.correlation_id,
        reply_to=given.reply_to,
        message_id=given.message_id,
        deadline=headers.get("deadline"),
        traceparent=headers.get("traceparent"),
        redelivered=bool(deliver.redelivered),
    )
    damaged = "routing_key" if isinstance(routing_key, lenient.Damaged) else lenient.damaged_property(given)
    return Delivery(deliver.delivery_tag or 0, envelope, body, returns if isinstance(returns, int) else 0, damaged)


def _header(reply: Reply) -> bytes:
    return properties(
        content_type=CONTENT_TYPE, headers=reply.headers, correlation_id=reply.correlation_id, type_=REPLY_TYPE
    )


async def _nothing(_: object) -> None:
    """The library wants a callback; it never sees a delivery."""
