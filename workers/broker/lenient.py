"""Message properties read leniently: nothing that a client writes into them may end our connection.

pamqp 4 raises for text that is no UTF-8, for a timestamp beyond its calendar and for deeply nested headers; aiormq then
closes the whole connection, and the broker delivers the same message to the next one. So two of its readers are
replaced in our process, when this module is imported:

- short strings (routing keys, all text properties): what is no UTF-8 becomes U+FFFD, in a :class:`Damaged`;
- a content header's properties: read in one pass, what we do not need skipped by its length,
  of the headers only the first level kept; the name of the first property that could not be read as meant is noted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pamqp import commands, decode

_TIMESTAMP_MAX: Final = 253_402_300_799_000
"""The end of the year 9999 in milliseconds, which some libraries write in place of seconds."""
_SECONDS_MAX: Final = 0xFFFF_FFFF

_TEXT, _TABLE, _OCTET, _TIME = range(4)
_LAYOUT: Final = (
    (1 << 15, "content_type", _TEXT),
    (1 << 14, "content_encoding", _TEXT),
    (1 << 13, "headers", _TABLE),
    (1 << 12, "delivery_mode", _OCTET),
    (1 << 11, "priority", _OCTET),
    (1 << 10, "correlation_id", _TEXT),
    (1 << 9, "reply_to", _TEXT),
    (1 << 8, "expiration", _TEXT),
    (1 << 7, "message_id", _TEXT),
    (1 << 6, "timestamp", _TIME),
    (1 << 5, "message_type", _TEXT),
    (1 << 4, "user_id", _TEXT),
    (1 << 3, "app_id", _TEXT),
    (1 << 2, "cluster_id", _TEXT),
)
"""AMQP 0-9-1, class basic: the properties in the order in which they stand after the flags."""

_FIXED: Final = dict(zip(b"tbBsuIilLfdDTV\0", (1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 5, 8, 0, 0), strict=True))
_INTEGERS: Final = frozenset(b"bsIlL")
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


def damaged_property(properties: commands.Basic.Properties) -> str | None:
    """The name of the first property that could not be read as it was meant; ``None`` when all is well."""
    return properties.__dict__.get("damaged")


def install() -> None:
    """Puts the lenient readers in place of pamqp's, for the whole process. May be repeated."""
    decode.METHODS["shortstr"] = _short_string
    commands.Basic.Properties.unmarshal = _read_properties  # type: ignore[method-assign]


def _short_string(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    return end, text(value[1:end])


def _read_properties(properties: commands.Basic.Properties, flags: int, data: bytes) -> None:
    """Never raises: what cannot be followed to its end is named as damaged, with all that comes after it unread."""
    offset, damaged = 0, None
    for bit, name, kind in _LAYOUT:
        if not flags & bit:
            continue
        try:
            offset, value = _read(kind, data, offset)
        except (IndexError, ValueError):
            damaged = damaged or name
            break
        if value is None or isinstance(value, Damaged):
            damaged = damaged or name
        setattr(properties, name, value)
    if damaged is not None:
        properties.__dict__["damaged"] = damaged


def _read(kind: int, data: bytes, offset: int) -> tuple[int, Any]:
    if kind == _TEXT:
        end = offset + 1 + data[offset]
        return end, text(data[offset + 1 : end])
    if kind == _OCTET:
        return offset + 1, data[offset]
    if kind == _TIME:
        return offset + 8, _time(int.from_bytes(data[offset : offset + 8], "big"))
    end = offset + 4 + int.from_bytes(data[offset : offset + 4], "big")
    return end, _read_headers(data, offset + 4, end)


def _time(given: int) -> datetime | None:
    """Seconds, or what can only be milliseconds; ``None`` beyond the calendar."""
    if given > _TIMESTAMP_MAX:
        return None
    return datetime.fromtimestamp(given / 1000 if given > _SECONDS_MAX else given, UTC)


def _read_headers(data: bytes, offset: int, end: int) -> dict[str, Any] | None:
    """The first level of a field table: text and integers; ``None`` when its parts do not fit into each other."""
    headers: dict[str, Any] = {}
    while offset < end:
        name_end = offset + 1 + data[offset]
        name = text(data[offset + 1 : name_end])
        tag = data[name_end]
        offset = name_end + 1
        size = _FIXED.get(tag)
        if size is None:
            if tag not in b"SxAF":
                return None
            size = int.from_bytes(data[offset : offset + 4], "big")
            offset += 4
        headers[name] = _header_value(tag, data[offset : offset + size])
        offset += size
    return headers if offset == end else None


def _header_value(tag: int, raw: bytes) -> object:
    if tag == ord("S"):
        return text(raw)
    return int.from_bytes(raw, "big", signed=True) if tag in _INTEGERS else _UNREAD
