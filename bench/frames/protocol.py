"""The connection itself: bytes in, methods and messages out, heartbeats, and its end."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol, cast

from bench.frames import methods
from bench.frames.content import Content
from bench.frames.errors import BrokerError
from bench.frames.parser import Parser
from bench.frames.wire import BODY, HEADER, HEARTBEAT_FRAME, METHOD, method, read_short_string

_GOODBYE_SECONDS: Final = 5.0


class Owner(Protocol):
    """Whom the line tells what comes in."""

    def settled(self, tag: int, multiple: bool, taken: bool) -> None:
        """A confirm: positive where ``taken``."""
        ...

    def arrived(self, content: Content) -> None:
        """A whole message, by delivery or return."""
        ...

    def lost(self, error: BrokerError) -> None:
        """The connection is gone, and nobody had asked for that."""
        ...


class Line(asyncio.Protocol):
    """One connection with one channel."""

    def __init__(self, owner: Owner) -> None:
        self.blocked = False
        self._owner = owner
        self._parser = Parser()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._content: Content | None = None
        self._asked: tuple[int, asyncio.Future[bytes]] | None = None
        self._open = False
        self._end: BrokerError | None = None
        self._gone = asyncio.Event()
        self._heard = 0.0
        self._heartbeat: asyncio.TimerHandle | None = None

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        """Takes in what came; what cannot be understood ends the connection."""
        self._heard = time.monotonic()
        try:
            for kind, _channel, payload in self._parser.feed(data):
                if kind == METHOD:
                    self._take_method(int.from_bytes(payload[:4], "big"), payload)
                elif kind in {HEADER, BODY} and self._content is not None:
                    self._take_content(self._content, kind, payload)
        except BrokerError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever wanted it."""
        self._gone.set()
        reason = "the broker closed the connection" if exc is None else f"the connection was lost: {exc}"
        self._fail(BrokerError(reason))

    # ours

    @property
    def local_address(self) -> tuple[str, int]:
        """Host and port of our end: by these the broker names the connection. ``("", 0)`` before it is made."""
        name = None if self._transport is None else self._transport.get_extra_info("sockname")
        return ("", 0) if name is None else (name[0], name[1])

    @property
    def unsent(self) -> int:
        """Bytes that were written and still wait in this process."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def say(self, frames: bytes) -> None:
        """Writes at the end of this turn of the event loop; nothing once the connection is gone."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(frames)

    async def ask(self, frames: bytes, answer: int) -> bytes:
        """Writes, and gives the answer's arguments. Raises ``BrokerError`` where the connection ends first."""
        if self._end is not None:
            raise self._end
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked = (answer, future)
        self.say(frames)
        return await future

    def open_for_business(self, heartbeat: int) -> None:
        """From now on a lost connection is the owner's to hear of; ``heartbeat`` in seconds, 0 for none."""
        self._open = True
        self._heard = time.monotonic()
        if heartbeat:
            self._beat(heartbeat)

    async def close(self) -> None:
        """Ends the connection in good order where it still stands."""
        self._open = False
        if self._end is None:
            goodbye = method(0, methods.CONNECTION_CLOSE, b"\x00\xc8\x00\x00\x00\x00\x00")
            asking = self.ask(goodbye, methods.CONNECTION_CLOSE_OK)
            # Gone before it answered, or silent: closed either way.
            await asyncio.gather(asyncio.wait_for(asking, _GOODBYE_SECONDS), return_exceptions=True)
        self.abort()
        if self._transport is not None:
            await self._gone.wait()

    def abort(self) -> None:
        """Drops the connection."""
        self._open = False
        self._fail(BrokerError("the connection was closed by us"))

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(out))

    def _take_method(self, number: int, payload: bytes) -> None:
        if number in {methods.BASIC_DELIVER, methods.BASIC_RETURN}:
            self._content = Content(number, payload)
        elif number in {methods.BASIC_ACK, methods.BASIC_NACK}:
            tag = int.from_bytes(payload[4:12], "big")
            self._owner.settled(tag, bool(payload[12] & 1), number == methods.BASIC_ACK)
        elif self._asked is not None and self._asked[0] == number:
            answered, self._asked = self._asked[1], None
            if not answered.done():
                answered.set_result(payload[4:])
        elif number in {methods.CONNECTION_CLOSE, methods.CHANNEL_CLOSE}:
            text, _ = read_short_string(payload, 6)
            raise BrokerError(f"the broker closed the connection: {text.decode(errors='replace')}")
        elif number == methods.BASIC_CANCEL:
            raise BrokerError("the broker ended the consumer: its queue is gone")
        elif number in {methods.CONNECTION_BLOCKED, methods.CONNECTION_UNBLOCKED}:
            self.blocked = number == methods.CONNECTION_BLOCKED

    def _take_content(self, content: Content, kind: int, payload: bytes) -> None:
        whole = content.take_header(payload) if kind == HEADER else content.take_body(payload)
        if whole:
            self._content = None
            self._owner.arrived(content)

    def _beat(self, interval: int) -> None:
        """Sends a heartbeat twice per interval, and gives up a broker that was silent for two (specification 4.2.7)."""
        if self._end is not None:
            return
        if time.monotonic() - self._heard > 2 * interval:
            self._fail(BrokerError(f"the broker was silent for {2 * interval} s"))
            return
        self.say(HEARTBEAT_FRAME)
        self._heartbeat = asyncio.get_running_loop().call_later(interval / 2, self._beat, interval)

    def _fail(self, error: BrokerError) -> None:
        """The end, told once to whoever waits for something."""
        if self._end is not None:
            return
        self._end = error
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._transport is not None:
            self._transport.abort()
        if self._asked is not None and not self._asked[1].done():
            self._asked[1].set_exception(error)
        if self._open:
            self._open = False
            self._owner.lost(error)
