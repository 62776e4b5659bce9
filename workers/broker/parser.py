"""From bytes as they arrive to the channels that their frames are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from workers.broker.errors import BrokerLostError, ProtocolError
from workers.broker.frames import FRAME_END, FRAME_HEAD, FRAME_OVERHEAD

_HEAD_SIZE: Final = FRAME_HEAD.size


class Receiver(Protocol):
    """The receiving side of a channel."""

    take: Callable[[int, bytes], None]
    """Gets each frame's type and payload. Raises ``ProtocolError`` for what may not come now."""

    def lose(self, error: BrokerLostError) -> None:
        """The connection is gone."""
        ...


class Parser:
    """Keeps what of a frame has come so far: never more than one frame, and what one read brought."""

    def __init__(self, receivers: Mapping[int, Receiver], frame_max: int) -> None:
        self.frame_max = frame_max
        self._receivers = receivers
        self._rest = bytearray()
        self._needed = FRAME_OVERHEAD

    def feed(self, data: bytes) -> None:
        """Hands each frame that is whole to its channel. Raises ``ProtocolError``: what follows is worth nothing."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        done = self._hand_out(data)
        if done < len(data):
            self._rest += data[done:]

    def _hand_out(self, data: bytes) -> int:
        """Answers how many bytes were whole frames."""
        offset, size = 0, len(data)
        read_head, receivers, longest = FRAME_HEAD.unpack_from, self._receivers, self.frame_max - FRAME_OVERHEAD
        while size - offset >= FRAME_OVERHEAD:
            kind, channel, length = read_head(data, offset)
            start = offset + _HEAD_SIZE
            end = start + length
            if length > longest:
                raise ProtocolError(f"a frame of {length} bytes, or no AMQP 0-9-1 at all")
            if end >= size:
                self._needed = length + FRAME_OVERHEAD
                return offset
            if data[end] != FRAME_END:
                raise ProtocolError("a frame that does not end where it should")
            receiver = receivers.get(channel)
            if receiver is None:
                raise ProtocolError(f"a frame on channel {channel}, which is not open")
            receiver.take(kind, data[start:end])
            offset = end + 1
        self._needed = FRAME_OVERHEAD
        return offset
