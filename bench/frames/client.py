"""One connection to the broker that publishes commands and hears of their fate."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, Protocol

from bench.frames import methods
from bench.frames.address import Address
from bench.frames.confirms import Confirms
from bench.frames.errors import BrokerError
from bench.frames.handshake import shake_hands
from bench.frames.protocol import Line
from bench.frames.template import Template

_PATIENCE: Final = 10.0
"""Seconds for the connection and the login."""


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

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
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
    def blocked(self) -> bool:
        """Whether the broker has said that it does not read from publishers now (memory or disk alarm)."""
        return self._line.blocked

    def publish(self, template: Template, routing_key: bytes, correlation_id: bytes, body: bytes) -> None:
        """Sends one message; its fate goes to the receiver."""
        self._confirms.sent(correlation_id)
        self._line.say(template.frames(routing_key, correlation_id, body))

    async def close(self) -> None:
        """Says goodbye, if there is somebody to say it to. Raises nothing."""
        await self._line.close()

    def settled(self, tag: int, multiple: bool, taken: bool) -> None:
        """The line's: a confirm came."""
        for correlation_id in self._confirms.settle(tag, multiple):
            if not taken:
                self._receiver.refused(correlation_id)

    def arrived(self, kind: int, correlation_id: bytes, body: bytes) -> None:
        """The line's: a message came, as a reply or as one of ours that met no queue."""
        if kind == methods.BASIC_DELIVER:
            self._receiver.answered(correlation_id, body)
        else:
            self._receiver.unroutable(correlation_id)

    def lost(self, error: BrokerError) -> None:
        """The line's: it is gone."""
        self._receiver.lost(error)


async def connect(url: str, receiver: Receiver, heartbeat: int = 20) -> Client:
    """A client that is ready to publish. Raises ``BrokerError`` where there is no broker, or it refuses the login."""
    address = Address.of(url)
    client = Client(receiver)
    where = f"{address.host}:{address.port}"
    context = ssl.create_default_context() if address.tls else None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            await loop.create_connection(lambda: client.line, address.host, address.port, ssl=context)
            agreed = await shake_hands(client.line, address, heartbeat)
    except TimeoutError as error:
        client.line.abort()
        raise BrokerError(f"the broker at {where} did not answer within {_PATIENCE:.0f} s") from error
    except OSError as error:
        raise BrokerError(f"the broker at {where} cannot be reached: {error}") from error
    client.line.open_for_business(agreed)
    return client
