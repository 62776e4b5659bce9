"""A message's properties: written once for a template, and of what comes in only the correlation id is read."""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack, unpack_from
from typing import Final

from bench.frames.wire import Table, read_short_string, short_string, table

BASIC: Final = 60
PERSISTENT: Final = 2

# Property flags, in the order in which the values follow (specification 1.8).
CONTENT_TYPE: Final = 1 << 15
CONTENT_ENCODING: Final = 1 << 14
HEADERS: Final = 1 << 13
DELIVERY_MODE: Final = 1 << 12
PRIORITY: Final = 1 << 11
CORRELATION_ID: Final = 1 << 10
REPLY_TO: Final = 1 << 9
MESSAGE_ID: Final = 1 << 7
TYPE: Final = 1 << 5
USER_ID: Final = 1 << 4

_FLAGS_AT: Final = 12
"""Behind the class, the weight and the size of the body."""


def around_correlation_id(*, content_type: str, reply_to: str, message_type: str, user_id: str) -> tuple[bytes, bytes]:
    """A persistent message's property list, as what stands before the correlation id and what stands behind it."""
    flags = CONTENT_TYPE | DELIVERY_MODE | CORRELATION_ID | REPLY_TO | TYPE | USER_ID
    before = pack(">H", flags) + short_string(content_type) + bytes((PERSISTENT,))
    return before, short_string(reply_to) + short_string(message_type) + short_string(user_id)


@dataclass(frozen=True)
class Properties:
    """A persistent message's properties; what is ``None`` is left out."""

    message_type: str
    user_id: str
    correlation_id: bytes
    message_id: str | None = None
    reply_to: str | None = "amq.rabbitmq.reply-to"
    headers: Table | None = None
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        """Flags and values. Raises ``ValueError`` for a text of more than 255 bytes."""
        flags = CONTENT_TYPE | DELIVERY_MODE | CORRELATION_ID | TYPE | USER_ID
        parts = [short_string(self.content_type)]
        if self.headers is not None:
            flags |= HEADERS
            parts.append(table(self.headers))
        parts += [bytes((PERSISTENT,)), short_string(self.correlation_id)]
        if self.reply_to is not None:
            flags |= REPLY_TO
            parts.append(short_string(self.reply_to))
        if self.message_id is not None:
            flags |= MESSAGE_ID
            parts.append(short_string(self.message_id))
        parts += [short_string(self.message_type), short_string(self.user_id)]
        return pack(">H", flags) + b"".join(parts)


def body_size(header: bytes) -> int:
    """The length of the body that follows a content header, in bytes."""
    return unpack_from(">Q", header, 4)[0]


def correlation_id(header: bytes) -> bytes:
    """The correlation id of a content header; empty where it has none."""
    flags = int.from_bytes(header[_FLAGS_AT : _FLAGS_AT + 2], "big")
    if not flags & CORRELATION_ID:
        return b""
    offset = _FLAGS_AT + 2
    if flags & CONTENT_TYPE:
        offset += 1 + header[offset]
    if flags & CONTENT_ENCODING:
        offset += 1 + header[offset]
    if flags & HEADERS:
        offset += 4 + int.from_bytes(header[offset : offset + 4], "big")
    if flags & DELIVERY_MODE:
        offset += 1
    if flags & PRIORITY:
        offset += 1
    return read_short_string(header, offset)[0]
