"""Frames as bytes: what a general library builds anew for each message is built once.

AMQP 0-9-1, section 2.3.5: type, channel, size, payload, 0xCE. A message is a method frame, a content header, and its
body in frames no larger than was agreed on with the broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from struct import Struct
from typing import Final

from workers.broker.fields import short, table
from workers.broker.methods import BASIC_ACK, BASIC_PUBLISH

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_HEAD: Final = Struct(">BHI")
FRAME_END: Final = 0xCE
FRAME_OVERHEAD: Final = FRAME_HEAD.size + 1
PROTOCOL_HEADER: Final = b"AMQP\0\0\x09\x01"
HEARTBEAT_FRAME: Final = b"\x08\0\0\0\0\0\0\xce"
PERSISTENT: Final = 2

_END: Final = bytes((FRAME_END,))
_CONTENT: Final = Struct(">HHQ")
_ACK: Final = Struct(">BHI4sQBB")
_BASIC: Final = 60
_FLAGS: Final = Struct(">H")


def method(channel: int, payload: bytes) -> bytes:
    """A method's frame; ``payload`` is its number and its arguments."""
    return FRAME_HEAD.pack(METHOD, channel, len(payload)) + payload + _END


def properties(
    *,
    content_type: str = "",
    headers: Mapping[str, str] | None = None,
    delivery_mode: int = 0,
    correlation_id: str = "",
    reply_to: str = "",
    message_id: str = "",
    type_: str = "",
    user_id: str = "",
) -> bytes:
    """A content header's flags and properties; what is empty is left out. ``ValueError`` where one is too long."""
    flags, parts = 0, b""
    if content_type:
        flags, parts = 1 << 15, short(content_type)
    if headers:
        flags, parts = flags | 1 << 13, parts + table(headers)
    if delivery_mode:
        flags, parts = flags | 1 << 12, parts + bytes((delivery_mode,))
    if correlation_id:
        flags, parts = flags | 1 << 10, parts + short(correlation_id)
    if reply_to:
        flags, parts = flags | 1 << 9, parts + short(reply_to)
    if message_id:
        flags, parts = flags | 1 << 7, parts + short(message_id)
    if type_:
        flags, parts = flags | 1 << 5, parts + short(type_)
    if user_id:
        flags, parts = flags | 1 << 4, parts + short(user_id)
    return _FLAGS.pack(flags) + parts


def signed(header: bytes, user_id: str) -> bytes:
    """Properties that :func:`properties` made without a ``user_id``, with this one: it is the last that they may have.

    The broker takes none but the connection's own login, so it proves who published.
    """
    (flags,) = _FLAGS.unpack_from(header)
    return _FLAGS.pack(flags | 1 << 4) + header[_FLAGS.size :] + short(user_id)


class Framer:
    """Makes the frames of one channel that are sent often."""

    def __init__(self, channel: int, frame_max: int) -> None:
        self._channel = channel
        self._body_max = frame_max - FRAME_OVERHEAD

    def publish(self, exchange: str, routing_key: str, header: bytes, body: bytes, *, mandatory: bool) -> bytes:
        """A whole message; ``header`` is what :func:`properties` made."""
        channel = self._channel
        publish = _publish_method(channel, exchange, routing_key, mandatory)
        content = FRAME_HEAD.pack(HEADER, channel, _CONTENT.size + len(header)) + _CONTENT.pack(_BASIC, 0, len(body))
        if 0 < len(body) <= self._body_max:
            return b"".join((publish, content, header, _END, FRAME_HEAD.pack(BODY, channel, len(body)), body, _END))
        return b"".join((publish, content, header, _END, *_pieces(channel, body, self._body_max)))

    def ack(self, tag: int) -> bytes:
        """Acknowledges every delivery of the channel up to this tag."""
        return _ACK.pack(METHOD, self._channel, 13, BASIC_ACK, tag, 1, FRAME_END)


@lru_cache(maxsize=4096)
def _publish_method(channel: int, exchange: str, routing_key: str, mandatory: bool) -> bytes:
    """Clients keep one reply address and one channel for long, so most replies find theirs here."""
    return method(channel, BASIC_PUBLISH + b"\0\0" + short(exchange) + short(routing_key) + bytes((mandatory,)))


def _pieces(channel: int, body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield FRAME_HEAD.pack(BODY, channel, len(piece)) + piece + _END
