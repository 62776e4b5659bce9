"""AMQP 0-9-1 as bytes: frames and the data types in them (specification 4.2; RabbitMQ's errata for field types)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from struct import Struct, pack
from typing import Final

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
HEARTBEAT: Final = 8

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
FRAME_HEAD: Final = Struct(">BHI")
"""Type, channel, size of the payload; one byte more follows the payload."""
FRAME_END: Final = 0xCE
FRAME_OVERHEAD: Final = FRAME_HEAD.size + 1
HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"

Table = Mapping[str, "bool | int | str | datetime | Table"]


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """One whole frame."""
    return FRAME_HEAD.pack(kind, channel, len(payload)) + payload + b"\xce"


def method(channel: int, method_id: int, arguments: bytes = b"") -> bytes:
    """A method's frame; ``method_id`` is its class and method number in one, see ``bench.frames.methods``."""
    return frame(METHOD, channel, pack(">I", method_id) + arguments)


def short_string(text: str | bytes) -> bytes:
    """At most 255 bytes of UTF-8. Raises ``ValueError`` for more."""
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) > 255:
        raise ValueError(f"a short string holds 255 bytes, not {len(raw)}")
    return bytes((len(raw),)) + raw


def long_string(text: str | bytes) -> bytes:
    """Up to 4 GiB of bytes."""
    raw = text.encode() if isinstance(text, str) else text
    return pack(">I", len(raw)) + raw


def table(fields: Table) -> bytes:
    """A field table of booleans, whole numbers (64 bits), strings, times (whole seconds) and tables."""
    return long_string(b"".join(short_string(name) + _field(value) for name, value in fields.items()))


def _field(value: bool | int | str | datetime | Table) -> bytes:
    if isinstance(value, bool):
        return b"t" + bytes((value,))
    if isinstance(value, int):
        return b"l" + pack(">q", value)
    if isinstance(value, datetime):
        return b"T" + pack(">Q", int(value.timestamp()))
    if isinstance(value, str):
        return b"S" + long_string(value)
    return b"F" + table(value)


def read_short_string(payload: bytes, offset: int) -> tuple[bytes, int]:
    """The string at ``offset``, and the offset behind it."""
    start = offset + 1
    end = start + payload[offset]
    return payload[start:end], end
