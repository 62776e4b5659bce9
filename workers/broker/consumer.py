"""One partition's channel: its deliveries in order, and the one way back for replies and acknowledgements."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from struct import Struct as Layout
from typing import Any, Final

from msgspec import Struct

from contracts.apps import ON_BEHALF_HEADER
from contracts.dead_letters import SENDER_HEADER, SINCE_HEADER
from contracts.decoding import Envelope
from contracts.replies import CONTENT_TYPE, REPLY_TYPE
from contracts.trace_context import SENT_AT
from workers.broker import lenient, methods
from workers.broker.channel import Channel, Listener, unexpected
from workers.broker.errors import BrokerLostError, ProtocolError
from workers.broker.frames import properties
from workers.broker.held import LARGE
from workers.broker.link import Link

_DEFAULT_EXCHANGE: Final = ""
_TAG: Final = Layout(">QB")
"""The delivery's tag, and whether it is redelivered."""


class Delivery(Struct, frozen=True):
    """A message as it came. ``returns``: how often it went back to the queue before, by the broker's own count.
    ``damaged``: a property of it that could not be read as its sender meant it. ``timestamp`` is its sender's, by AMQP
    in seconds; ``arrived_at`` the time at which it came, in seconds since 1970. ``sent_at`` is a header: milliseconds
    since 1970, or whatever its sender made of it."""

    tag: int
    envelope: Envelope
    body: bytes
    returns: int
    damaged: str | None
    timestamp: int | None = None
    arrived_at: float = 0.0
    sent_at: object = None


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
        self._large: deque[tuple[int, int]] = deque()
        """Tags and sizes of the large bodies that are not acknowledged."""
        self._channel: Channel

    @classmethod
    async def open(cls, link: Link, take: Callable[[Delivery], None]) -> Consumer:
        """Opens the channel; ``take`` will get each delivery, in order. Raises ``BrokerLostError``."""
        consumer = cls(link, take)
        listener = Listener(consumer._on_content, consumer._on_method, consumer.lose)
        consumer._channel = await link.channel(listener)
        return consumer

    async def subscribe(self, queue: str, prefetch: int) -> None:
        """Begins to consume. Raises ``BrokerLostError``; the channel is then still to be closed."""
        await self._channel.call(methods.qos(prefetch), methods.BASIC_QOS_OK)
        await self._channel.call(methods.consume(queue), methods.BASIC_CONSUME_OK)

    def frame(self, reply: Reply) -> bytes:
        """A reply as it will leave this channel. Raises ``ValueError`` for text that no frame holds."""
        return self._channel.framer.publish(_DEFAULT_EXCHANGE, reply.to, _header(reply), reply.body, mandatory=False)

    def answer(self, frames: Iterable[bytes]) -> None:
        """Sends framed replies, in this order. One whose address is gone is dropped by the broker."""
        self._write(b"".join(frames))

    def ack(self, tag: int) -> None:
        """Acknowledges every delivery up to this tag, behind the replies sent before."""
        self._write(self._channel.framer.ack(tag))
        self._let_go(tag)

    def lose(self, reason: str) -> None:
        """Takes and answers nothing from now on; the first reason given stays. It is still to be closed."""
        self.reason = self.reason or reason
        self.lost.set()
        self._let_go()

    async def close(self) -> None:
        """Closes the channel: the broker takes back what is unacknowledged, in order.

        A broker that does not answer still counts us as the consumer, so then the whole connection goes.
        """
        self.lose("closed")
        try:
            await self._channel.close()
        except BrokerLostError as error:
            self.reason = f"{self.reason} ({error})"
            await self._link.close()

    def _write(self, data: bytes) -> None:
        if data and not self.lost.is_set():
            self._channel.write(data)

    def _on_content(self, carrier: bytes, header: bytes, body: bytes) -> None:
        delivery = _delivery(carrier, header, body)
        if self.lost.is_set():
            return
        if len(body) > LARGE:
            self._large.append((delivery.tag, len(body)))
            self._link.held.add(len(body))
        self._take(delivery)

    def _let_go(self, tag: int | None = None) -> None:
        """Of the bodies up to a tag, or of all."""
        while self._large and (tag is None or self._large[0][0] <= tag):
            self._link.held.drop(self._large.popleft()[1])

    def _on_method(self, number: bytes, payload: bytes) -> None:
        if number != methods.BASIC_CANCEL:
            unexpected(number)
        self.lose("the broker cancelled the consumer: the queue was deleted, or its leader is gone")


def _delivery(deliver: bytes, header: bytes, body: bytes) -> Delivery:
    """Raises ``ProtocolError`` for a method that ends where it should not."""
    tag_at = 5 + deliver[4]  # behind the number and the consumer's own tag
    tag, redelivered = _TAG.unpack_from(deliver, tag_at)
    exchange_at = tag_at + _TAG.size
    key_at = exchange_at + 1 + deliver[exchange_at]
    if deliver[:4] != methods.BASIC_DELIVER or key_at + 1 + deliver[key_at] != len(deliver):
        raise ProtocolError("no delivery, or one that does not end where it should")
    routing_key = lenient.text(deliver[key_at + 1 :])
    given, damaged = lenient.read_properties(header)
    headers: dict[str, Any] = given[lenient.HEADERS] or {}
    # On a first delivery the broker writes no count, so one that is there is its sender's.
    returns = headers.get("x-delivery-count", 0) if redelivered else 0
    envelope = Envelope(
        routing_key=routing_key,
        type=given[lenient.TYPE],
        login=given[lenient.USER_ID],
        content_encoding=given[lenient.CONTENT_ENCODING],
        correlation_id=given[lenient.CORRELATION_ID],
        reply_to=given[lenient.REPLY_TO],
        message_id=given[lenient.MESSAGE_ID],
        deadline=headers.get("deadline"),
        traceparent=headers.get("traceparent"),
        on_behalf=headers.get(ON_BEHALF_HEADER),
        sender=headers.get(SENDER_HEADER),
        kept_since=headers.get(SINCE_HEADER),
        redelivered=bool(redelivered),
    )
    if routing_key.__class__ is lenient.Damaged:
        damaged = "routing_key"
    counted = returns if isinstance(returns, int) else 0
    sent_at = headers.get(SENT_AT)
    return Delivery(tag, envelope, body, counted, damaged, given[lenient.TIMESTAMP], time.time(), sent_at)


def _header(reply: Reply) -> bytes:
    return properties(
        content_type=CONTENT_TYPE, headers=reply.headers, correlation_id=reply.correlation_id, type_=REPLY_TYPE
    )
