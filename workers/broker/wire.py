"""The socket: bytes in, frames out, heartbeats, and the end."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import structlog

from workers.broker.errors import BrokerLostError, ProtocolError
from workers.broker.frames import HEARTBEAT_FRAME
from workers.broker.parser import Parser, Receiver

_log = structlog.get_logger(__name__)

FRAME_MAX: Final = 131_072
"""The largest frame that we agree to, in bytes; what RabbitMQ offers by itself."""
_ADDED: Final = 4096
"""So much larger than agreed may a frame be, in bytes: headers that their sender has filled to the brim are not split,
and RabbitMQ adds its own, and some bytes, to what it was given."""
SILENT_TICKS: Final = 6
"""A broker that says nothing for so many ticks of the heartbeat counts as gone at the next: after 6 to 7 times 2 s."""
_TICKS_PER_INTERVAL: Final = 2.5


class Wire(asyncio.Protocol):
    """One connection's bytes. ``receivers`` are its channels: all of them are told once it is gone.

    ``starved``: the lack of memory that it ended with, which nothing but a new process mends.
    """

    def __init__(self) -> None:
        self.receivers: dict[int, Receiver] = {}
        self.stalled = False
        """True while the broker's side takes nothing more into its socket."""
        self.starved: MemoryError | None = None
        self._reading = True
        self._parser = Parser(self.receivers, FRAME_MAX)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._pending: list[bytes] = []
        self._silent = 0
        self._tick: asyncio.TimerHandle | None = None
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: the socket is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        """asyncio's: what is no AMQP, or nothing that we asked for, ends the connection. Raises nothing."""
        self._silent = 0
        try:
            self._parser.feed(data)
        except ProtocolError as error:
            self.give_up(f"the broker sent {error}")
        except MemoryError as error:
            self.starved = error
            self.give_up("there was no memory for what came")
        except Exception as error:  # a method that was cut short, or a defect of who takes what came
            _log.exception("what came could not be taken")
            self.give_up(f"what came could not be taken: {error!r}")

    def pause_writing(self) -> None:
        """asyncio's: too much waits for the socket."""
        self.stalled = True

    def resume_writing(self) -> None:
        """asyncio's: the socket takes more."""
        self.stalled = False

    def pause_reading(self) -> None:
        """Takes nothing in until told to. The broker counts as being there; calls to it may find no answer."""
        if self._reading and self._is_open:
            self._reading = False
            cast("asyncio.Transport", self._transport).pause_reading()

    def resume_reading(self) -> None:
        """Takes in again what comes."""
        if not self._reading and self._is_open:
            self._reading = True
            cast("asyncio.Transport", self._transport).resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's: the socket is closed."""
        self._end("the broker closed the connection" if exc is None else f"the connection was lost: {exc!r}")

    def agreed(self, frame_max: int, heartbeat: float) -> None:
        """From now on frames are hardly larger than ``frame_max``, and no side is silent for ``heartbeat`` seconds."""
        self._parser.frame_max = frame_max + _ADDED
        if heartbeat:
            self._beat(heartbeat / _TICKS_PER_INTERVAL)

    @property
    def unsent(self) -> int:
        """Bytes that were written and that the system has not taken yet."""
        waiting = 0 if self._transport is None or self._over else self._transport.get_write_buffer_size()
        return waiting + sum(map(len, self._pending))

    def write(self, frames: bytes) -> None:
        """Sends whole frames, with all others of this turn of the loop at once.

        On a lost connection they vanish: what was not acknowledged comes again.
        """
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append(frames)

    def leave(self, reason: str) -> None:
        """It is over; what was written still leaves."""
        self._end(reason)
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def give_up(self, reason: str) -> None:
        """It is over, whatever waits to be sent."""
        self._end(reason)
        if self._transport is not None:
            self._transport.abort()

    def flush(self) -> None:
        """Sends what was written in this turn of the loop."""
        pending, self._pending = self._pending, []
        if pending and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(pending))

    @property
    def _is_open(self) -> bool:
        return self._transport is not None and not self._over and not self._transport.is_closing()

    def _beat(self, seconds: float) -> None:
        """Ticks are counted, not time: a process that slept has not listened, and what came meanwhile is still to read.

        A socket that takes nothing has something of ours under way already.
        """
        if self._silent >= SILENT_TICKS:
            self.give_up(f"the broker was silent for {SILENT_TICKS * seconds:.0f} s")
            return
        self._silent += self._reading
        if not self.stalled:
            self.write(HEARTBEAT_FRAME)
        self._tick = self._loop.call_later(seconds, self._beat, seconds)

    def _end(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        if self._tick is not None:
            self._tick.cancel()
        receivers = list(self.receivers.values())
        self.receivers.clear()
        for receiver in receivers:
            self._tell(receiver, BrokerLostError(reason))

    def _tell(self, receiver: Receiver, error: BrokerLostError) -> None:
        """One that fails over it must not keep the others from hearing of it."""
        try:
            receiver.lose(error)
        except MemoryError as starved:
            self.starved = starved
        except Exception:
            _log.exception("a channel could not take that its connection is gone", reason=str(error))
