"""One connection to the broker that publishes commands and hears of their fate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bench.frames import methods
from bench.frames.confirms import Confirms
from bench.frames.content import Content
from bench.frames.errors import BrokerError
from bench.frames.handshake import begin_publishing
from bench.frames.opening import open_line
from bench.frames.protocol import Line
from bench.frames.template import Template


class Receiver(Protocol):
    """Who publishes, and is told what became of it, by correlation id. None of these may raise."""

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        """A reply came."""
        ...

    def refused(self, correlation_id: bytes) -> None:
        """The broker did not take the message (``basic.nack``): its queue is full."""
        ...

    def unroutable(self, correlation_id: bytes) -> None:
        """The message met no queue (``basic.return``)."""
        ...

    def lost(self, error: BrokerError) -> None:
        """The connection is gone; what had no answer yet will get none here."""
        ...


class Client:
    """Publishes on one channel. What is published in one turn of the event loop is written at once."""

    def __init__(self, receiver: Receiver, confirmed: Callable[[bytes], None] | None = None) -> None:
        self._receiver = receiver
        self._confirmed = confirmed
        self._confirms = Confirms()
        self._line = Line(self)

    @property
    def line(self) -> Line:
        """The connection's protocol."""
        return self._line

    @property
    def unconfirmed(self) -> int:
        """Messages that the broker has not answered for yet."""
        return len(self._confirms)

    @property
    def unsent(self) -> int:
        """Bytes that the broker has not taken from us yet."""
        return self._line.unsent

    @property
    def blocked(self) -> bool:
        """Whether the broker has said that it does not read from publishers now (memory or disk alarm)."""
        return self._line.blocked

    def publish(self, template: Template, routing_key: bytes, correlation_id: bytes, body: bytes) -> None:
        """Sends one message; its fate goes to the receiver."""
        self.publish_frames(correlation_id, template.frames(routing_key, correlation_id, body))

    def publish_frames(self, correlation_id: bytes, frames: bytes) -> None:
        """Sends one message that is framed already (``bench.frames.message``); its fate goes to the receiver."""
        self._confirms.sent(correlation_id)
        self._line.say(frames)

    async def close(self) -> None:
        """Says goodbye, if there is somebody to say it to. Raises nothing."""
        await self._line.close()

    def settled(self, tag: int, multiple: bool, taken: bool) -> None:
        """The line's: a confirm came."""
        for correlation_id in self._confirms.settle(tag, multiple):
            if not taken:
                self._receiver.refused(correlation_id)
            elif self._confirmed is not None:
                self._confirmed(correlation_id)

    def arrived(self, content: Content) -> None:
        """The line's: a message came, as a reply or as one of ours that met no queue."""
        if content.method == methods.BASIC_DELIVER:
            self._receiver.answered(content.correlation_id, content.body)
        else:
            self._receiver.unroutable(content.correlation_id)

    def lost(self, error: BrokerError) -> None:
        """The line's: it is gone."""
        self._receiver.lost(error)


async def connect(
    url: str, receiver: Receiver, heartbeat: int = 20, confirmed: Callable[[bytes], None] | None = None
) -> Client:
    """A client that is ready to publish; ``confirmed`` hears of each message that the broker has made safe.

    Raises ``BrokerError`` where there is no broker, or it refuses the login.
    """
    client = Client(receiver, confirmed)
    await open_line(url, client.line, heartbeat, lambda: begin_publishing(client.line))
    return client
