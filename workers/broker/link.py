"""One plain connection: it does not come back by itself, since leases come before consuming."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any, Final

import aiormq
from aiormq.abc import URLorStr
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

from workers.broker import lenient
from workers.broker.calling import calling
from workers.broker.errors import BrokerLostError
from workers.broker.tap import FrameTaker, TappedChannel

HEARTBEAT_SECONDS: Final = 5
CLOSE_SECONDS: Final = 3
"""How long a goodbye may take; then we go without."""

lenient.install()


class _Connection(aiormq.Connection):
    # (5 + 1) * 2 = 12 s without a frame, looked at every 2 s: a frozen connection is given up after 12 to 14 s.
    HEARTBEAT_GRACE_MULTIPLIER = 2


class _Transport(TransportFactory):
    """Opens the library's stream and keeps its writer: our own frames go straight into it, whole and in order."""

    writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, self.writer = await factory.create(url, **kwargs)
        return reader, self.writer


class Link:
    """A connection to the broker. ``lost`` is set once it is gone, whoever closed it; ``reason`` says why."""

    def __init__(self, connection: _Connection, writer: asyncio.StreamWriter, name: str) -> None:
        self.name = name
        self.lost = asyncio.Event()
        self.reason = ""
        self._connection = connection
        self._writer = writer
        self._pending: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._closing = connection.closing
        self._closing.add_done_callback(self._on_closed)

    @classmethod
    async def open(cls, url: str, name: str) -> Link:
        """Connects; ``name`` is what the broker's management shows. Raises ``BrokerLostError``."""
        transport = _Transport()
        connection = _Connection(_with(url, name), transport_factory=transport)
        async with calling(f"{name}: no connection to the broker"):
            await connection.connect()
        if transport.writer is None:
            raise BrokerLostError(f"{name}: the transport was not opened")
        return cls(connection, transport.writer, name)

    @property
    def blocked(self) -> bool:
        """True while the broker takes nothing from us for lack of memory or disk."""
        if self.lost.is_set():
            return False
        question = self._connection.ready()
        try:
            question.send(None)
        except StopIteration:
            return False
        question.close()
        return True

    @property
    def server_version(self) -> str:
        """The broker's version as it tells it; empty where it tells none."""
        return str(self._connection.server_properties.get("version", ""))

    @property
    def server_platform(self) -> str:
        """What the broker runs on, such as ``Erlang/OTP 25.3``; empty where it tells nothing."""
        return str(self._connection.server_properties.get("platform", ""))

    @property
    def frame_max(self) -> int:
        """The largest frame that the broker takes, in bytes."""
        return self._connection.connection_tune.frame_max or 131_072

    def write(self, frames: bytes) -> None:
        """Sends whole frames, with all others of this turn of the loop at once.

        On a lost connection they vanish: what was not acknowledged comes again.
        """
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append(frames)

    def flush(self) -> None:
        """Sends now what was written: before a frame that the library sends by itself and that must come behind."""
        pending, self._pending = self._pending, []
        if pending and not self.lost.is_set() and not self._writer.is_closing():
            self._writer.write(b"".join(pending))

    async def channel(self, take: FrameTaker, *, confirms: bool = False) -> TappedChannel:
        """Opens a channel whose frames go to ``take`` first. Raises ``BrokerLostError``."""
        number = next(number for number in count(1) if number not in self._connection.channels)
        async with calling(f"{self.name}: no channel"):
            channel = TappedChannel(self._connection, number, take, confirms=confirms)
            self._connection.channels[number] = channel
            await channel.open()
        return channel

    async def close(self) -> None:
        """Says goodbye and closes, or goes without a goodbye."""
        self.flush()
        try:
            async with calling(f"{self.name}: no goodbye", CLOSE_SECONDS):
                await self._connection.close()
        except BrokerLostError as error:
            self.reason = self.reason or str(error)
            self._writer.transport.abort()
        finally:
            self.lost.set()

    def _on_closed(self, closing: asyncio.Future[Any]) -> None:
        cause = None if closing.cancelled() else closing.exception()
        self.reason = self.reason or (str(cause) or type(cause).__name__ if cause else "closed")
        self.lost.set()


def _with(url: str, name: str) -> URLorStr:
    return URL(url).update_query(heartbeat=str(HEARTBEAT_SECONDS), name=name)
