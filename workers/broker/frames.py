"""The few frames that we send often, as bytes: what a general library builds anew for each message is built once.

AMQP 0-9-1, section 2.3.5: type, channel, size, payload, 0xCE. A message is a method frame, a content header, and its
body in frames no larger than was agreed on with the broker.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

_FRAME: Final = struct.Struct(">BHI")
_HEADER: Final = struct.Struct(">HHQ")
_ACK: Final = struct.Struct(">BHIHHQBB")
_METHOD, _CONTENT, _BODY = 1, 2, 3
_END: Final = b"\xce"
_BASIC: Final = 60
_PUBLISH: Final = struct.pack(">HHH", _BASIC, 40, 0)
_ACK_METHOD: Final = 80
_OVERHEAD: Final = _FRAME.size + len(_END)

SHORT_MAX: Final = 255
PERSISTENT: Final = 2


def short(text: str) -> bytes:
    """A short string. Raises ``ValueError`` for text of more than 255 bytes."""
    raw = text.encode()
    return bytes((len(raw),)) + raw


def properties(
    *,
    content_type: str = "",
    headers: Mapping[str, str] | None = None,
    delivery_mode: int = 0,
    correlation_id: str = "",
    message_id: str = "",
    type_: str = "",
) -> bytes:
    """A content header's flags and properties; what is empty is left out. ``ValueError`` where one is too long."""
    flags, parts = 0, b""
    if content_type:
        flags, parts = 1 << 15, short(content_type)
    if headers:
        flags, parts = flags | 1 << 13, parts + _table(headers)
    if delivery_mode:
        flags, parts = flags | 1 << 12, parts + bytes((delivery_mode,))
    if correlation_id:
        flags, parts = flags | 1 << 10, parts + short(correlation_id)
    if message_id:
        flags, parts = flags | 1 << 7, parts + short(message_id)
    if type_:
        flags, parts = flags | 1 << 5, parts + short(type_)
    return struct.pack(">H", flags) + parts


class Framer:
    """Makes the frames of one channel."""

    def __init__(self, channel: int, frame_max: int) -> None:
        self._channel = channel
        self._body_max = frame_max - _OVERHEAD

    def publish(self, exchange: str, routing_key: str, header: bytes, body: bytes, *, mandatory: bool) -> bytes:
        """A whole message; ``header`` is what :func:`properties` made."""
        channel = self._channel
        method = _publish_method(channel, exchange, routing_key, mandatory)
        content = _FRAME.pack(_CONTENT, channel, _HEADER.size + len(header)) + _HEADER.pack(_BASIC, 0, len(body))
        if 0 < len(body) <= self._body_max:
            return b"".join((method, content, header, _END, _FRAME.pack(_BODY, channel, len(body)), body, _END))
        return b"".join((method, content, header, _END, *_pieces(channel, body, self._body_max)))

    def ack(self, tag: int) -> bytes:
        """Acknowledges every delivery of the channel up to this tag."""
        return _ACK.pack(_METHOD, self._channel, 13, _BASIC, _ACK_METHOD, tag, 1, 0xCE)


@lru_cache(maxsize=4096)
def _publish_method(channel: int, exchange: str, routing_key: str, mandatory: bool) -> bytes:
    """Clients keep one reply address and one channel for long, so most replies find theirs here."""
    payload = _PUBLISH + short(exchange) + short(routing_key) + bytes((mandatory,))
    return _FRAME.pack(_METHOD, channel, len(payload)) + payload + _END


def _pieces(channel: int, body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield _FRAME.pack(_BODY, channel, len(piece)) + piece + _END


def _table(headers: Mapping[str, str]) -> bytes:
    table = b""
    for name, value in headers.items():
        raw = value.encode(errors="replace")
        table += short(name) + b"S" + struct.pack(">I", len(raw)) + raw
    return struct.pack(">I", len(table)) + table
