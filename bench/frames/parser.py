"""From bytes as they arrive to frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bench.frames.errors import BrokerError
from bench.frames.wire import FRAME_END, FRAME_HEAD, FRAME_OVERHEAD

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of payload: far more than brokers agree to (128 KiB), so what claims more is another protocol's."""


class Parser:
    """Keeps what of a frame has come so far."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """The frames that are whole now: type, channel, payload. Raises ``BrokerError`` for what is no frame."""
        buffer = self._rest + data if self._rest else data
        # Should the reader stop half-way, the connection is given up, and with it what is left here.
        self._rest = b""
        offset, size = 0, len(buffer)
        while size - offset >= FRAME_OVERHEAD:
            kind, channel, length = FRAME_HEAD.unpack_from(buffer, offset)
            start = offset + FRAME_HEAD.size
            end = start + length
            if length > LONGEST or (end < size and buffer[end] != FRAME_END):
                raise BrokerError("the broker sent what is no AMQP 0-9-1 frame")
            if end >= size:
                break
            yield kind, channel, buffer[start:end]
            offset = end + 1
        self._rest = buffer[offset:]
