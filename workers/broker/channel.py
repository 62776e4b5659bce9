"""One channel: its questions, and the messages that come in on it, put together from their frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

from msgspec import Struct

from workers.broker import methods
from workers.broker.calls import Calls
from workers.broker.errors import BrokerLostError, ChannelClosedError, ProtocolError
from workers.broker.frames import BODY, HEADER, METHOD, Framer, method
from workers.broker.wire import Wire

CLOSE_SECONDS: Final = 3.0
"""How long a goodbye may take; then we go without."""
BODY_MAX: Final = 512 * 1024 * 1024
"""The largest body that RabbitMQ can be configured to take, in bytes."""
_CARRYING: Final = (methods.BASIC_DELIVER, methods.BASIC_RETURN)


def unexpected(payload: bytes) -> NoReturn:
    """Raises ``ProtocolError`` for a method that begins so."""
    raise ProtocolError(f"a method that was not to be expected: {int.from_bytes(payload[:4], 'big'):#010x}")


class Listener(Struct, frozen=True):
    """Whom a channel tells of what comes unasked; ``lost`` is told once why nothing comes any more."""

    content: Callable[[bytes, bytes, bytes], None] = lambda carrier, _header, _body: unexpected(carrier)
    """Gets a message: the method that brought it and its header, as payloads of their frames, and its body."""
    method: Callable[[bytes, bytes], None] = lambda number, _: unexpected(number)
    """Gets a method's number and payload. Raises ``ProtocolError`` for one that cannot be."""
    lost: Callable[[str], None] = lambda _: None


class Channel:
    """A channel of ours, still to be opened."""

    def __init__(self, number: int, wire: Wire, frame_max: int, listener: Listener) -> None:
        self.framer = Framer(number, frame_max)
        self.take: Callable[[int, bytes], None] = self._take
        """Gets each frame of this number; between our close and the broker's consent all but that is stale."""
        self._number = number
        self._wire = wire
        self._calls = Calls(wire.write)
        self._on_content = listener.content
        self._on_method = listener.method
        self._on_lost = listener.lost
        self._over = False
        self._gone = asyncio.Event()
        self._carrier = b""
        self._header = b""
        self._missing = 0
        self._parts: list[bytes] = []
        wire.receivers[number] = self

    async def call(self, payload: bytes, answer: bytes) -> bytes:
        """Sends a method, and gives the payload of its answer.

        Raises ``ChannelClosedError`` where the broker closes the channel over it, ``BrokerLostError`` for all else.
        """
        return await self._calls.ask(method(self._number, payload), answer)

    def write(self, frames: bytes) -> None:
        """Sends frames of this channel, unless it is over."""
        if not self._over:
            self._wire.write(frames)

    def leave(self) -> None:
        """Closes it. The number stays taken until the broker has consented."""
        if self._over:
            return
        self._end(BrokerLostError("closed"))
        self.take = self._take_closing
        self._wire.write(method(self._number, methods.channel_close()))

    async def close(self) -> None:
        """Returns once it is closed on both sides. Raises ``BrokerLostError`` where the broker does not consent."""
        self.leave()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._gone.wait()
        except TimeoutError as error:
            raise BrokerLostError(f"the broker did not close the channel within {CLOSE_SECONDS:.0f} s") from error

    def lose(self, error: BrokerLostError) -> None:
        """It is gone, on both sides."""
        self._gone.set()
        self._end(error)

    def _end(self, error: BrokerLostError) -> None:
        if not self._over:
            self._over = True
            self._calls.fail(error)
            self._on_lost(str(error))

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == METHOD:
            number = payload[:4]
            if self._carrier:
                raise ProtocolError("a method between the frames of a message")
            if number in _CARRYING:
                self._carrier = payload
            else:
                self._take_method(number, payload)
        elif kind == HEADER:
            self._take_header(payload)
        elif kind == BODY:
            self._take_body(payload)
        else:
            raise ProtocolError(f"a frame of type {kind}")

    def _take_method(self, number: bytes, payload: bytes) -> None:
        if number == methods.CHANNEL_CLOSE:
            self._wire.write(method(self._number, methods.CHANNEL_CLOSE_OK))
            del self._wire.receivers[self._number]
            self.lose(ChannelClosedError(*methods.reply(payload)))
        elif not self._calls.answered(number, payload):
            self._on_method(number, payload)

    def _take_header(self, payload: bytes) -> None:
        if not self._carrier or self._header:
            raise ProtocolError("a content header out of turn")
        self._missing = int.from_bytes(payload[4:12], "big")
        if self._missing > BODY_MAX:
            raise ProtocolError(f"a body of {self._missing} bytes")
        self._header = payload
        if not self._missing:
            self._finish(b"")

    def _take_body(self, payload: bytes) -> None:
        missing = self._missing - len(payload)
        if missing < 0 or not payload:
            raise ProtocolError("more of a body than was announced, or a piece of nothing")
        self._missing = missing
        if missing:
            self._parts.append(payload)
        elif self._parts:
            parts, self._parts = self._parts, []
            self._finish(b"".join((*parts, payload)))
        else:
            self._finish(payload)

    def _finish(self, body: bytes) -> None:
        carrier, header = self._carrier, self._header
        self._carrier = self._header = b""
        self._on_content(carrier, header, body)

    def _take_closing(self, kind: int, payload: bytes) -> None:
        number = payload[:4] if kind == METHOD else b""
        if number == methods.CHANNEL_CLOSE_OK:
            del self._wire.receivers[self._number]
            self._gone.set()
        elif number == methods.CHANNEL_CLOSE:  # both closed at once: the broker consents to ours all the same
            self._wire.write(method(self._number, methods.CHANNEL_CLOSE_OK))
