"""What a message's header says, read leniently: nothing that a client writes into it may end our connection.

The properties are read in one pass. Text that is no UTF-8 gets U+FFFD, in a :class:`Damaged`; of the headers only the
first level is kept; the name of the first property that could not be read as its sender meant it is noted.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Any, Final

CONTENT_TYPE, CONTENT_ENCODING, HEADERS, DELIVERY_MODE, PRIORITY, CORRELATION_ID, REPLY_TO = range(7)
EXPIRATION, MESSAGE_ID, TIMESTAMP, TYPE, USER_ID, APP_ID, CLUSTER_ID = range(7, 14)
NAMES: Final = (
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "message_type",
    "user_id",
    "app_id",
    "cluster_id",
)
"""AMQP 0-9-1, class basic: the properties in the order in which they stand after the flags."""
_TEXT, _TABLE = 0, -1
_SIZES: Final = {HEADERS: _TABLE, DELIVERY_MODE: 1, PRIORITY: 1, TIMESTAMP: 8}
"""In bytes; those of text and tables stand before them."""
_FLAGS: Final = Struct(">H")
_FLAGS_AT: Final = 12
"""Behind class, weight and the body's size."""

_TIMESTAMP_MAX: Final = 253_402_300_799_000
"""The end of the year 9999 in milliseconds, which some libraries write in place of seconds."""

_FIXED: Final = dict(zip(b"tbBsuIilLfdDTV\0", (1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 5, 8, 0, 0), strict=True))
_LONG: Final = frozenset(b"SxAF")
"""Kinds of fields that tell their length, in four bytes."""
_FIELDS_MAX: Final = 64
"""More headers than that count as damaged unread: reading one takes time that all others wait for."""
_SIGNED: Final = frozenset(b"bsIlL")
_UNSIGNED: Final = frozenset(b"Bui")
_UNREAD: Final = b""
"""Stands for a header's value of a kind that we never need."""


class Damaged(str):
    """Text whose bytes were no UTF-8."""

    __slots__ = ()


def text(raw: bytes) -> str:
    """UTF-8, or a :class:`Damaged` with U+FFFD for what is none. Never raises."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Damaged(raw.decode(errors="replace"))


def read_properties(header: bytes) -> tuple[list[Any], str | None]:
    """The properties of a content header by their places, ``None`` where not set, and the name of a damaged one.

    Never raises for a header of 14 bytes or more: what cannot be followed to its end leaves all behind it unread.
    """
    values: list[Any] = [None] * len(NAMES)
    damaged = None
    (flags,) = _FLAGS.unpack_from(header, _FLAGS_AT)
    end, size = _FLAGS_AT + 2, len(header)
    for place, width in _layout(flags):
        if end >= size:
            return values, damaged or NAMES[place]
        start = end + 1
        if width == _TEXT:
            end = start + header[end]
            try:
                value = header[start:end].decode()
            except UnicodeDecodeError:
                value, damaged = text(header[start:end]), damaged or NAMES[place]
        else:
            end, value, whole = _other(place, width, header, end)
            if not whole:
                damaged = damaged or NAMES[place]
        if end > size:
            return values, damaged or NAMES[place]
        values[place] = value
    return values, damaged


def _other(place: int, width: int, header: bytes, start: int) -> tuple[int, Any, bool]:
    """A property that is no text: where it ends, what it says, and whether that can have been meant."""
    if width == _TABLE:
        end = start + 4 + int.from_bytes(header[start : start + 4], "big")
        table = read_table(header, start + 4, end)
        return end, table, table is not None
    number = int.from_bytes(header[start : start + width], "big")
    return start + width, number, place != TIMESTAMP or number <= _TIMESTAMP_MAX


def read_table(data: bytes, offset: int, end: int) -> dict[str, Any] | None:
    """The first level of a field table: text and integers.

    ``None`` when its parts do not fit into each other, and when they are more than 64.
    """
    fields: dict[str, Any] = {}
    left = _FIELDS_MAX
    try:
        while offset < end:
            if not left:
                return None
            left -= 1
            name_end = offset + 1 + data[offset]
            name = text(data[offset + 1 : name_end])
            tag = data[name_end]
            offset = name_end + 1
            size = _FIXED.get(tag)
            if size is None:
                if tag not in _LONG:
                    return None
                size = int.from_bytes(data[offset : offset + 4], "big")
                offset += 4
            fields[name] = _field(tag, data[offset : offset + size])
            offset += size
    except IndexError:
        return None
    return fields if offset == end else None


def _field(tag: int, raw: bytes) -> object:
    if tag == ord("S"):
        return text(raw)
    if tag in _SIGNED or tag in _UNSIGNED:
        return int.from_bytes(raw, "big", signed=tag in _SIGNED)
    return _UNREAD


@lru_cache(maxsize=256)
def _layout(flags: int) -> tuple[tuple[int, int], ...]:
    """The places of the properties that are there, each with its size: most messages of a queue have the same ones."""
    return tuple((place, _SIZES.get(place, _TEXT)) for place in range(len(NAMES)) if flags & 1 << 15 - place)
