"""The protocol's strings and field tables as bytes (AMQP 0-9-1, section 4.2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack
from typing import Any, Final

SHORT_MAX: Final = 255


def short(text: str) -> bytes:
    """A short string. Raises ``ValueError`` for text of more than 255 bytes."""
    raw = text.encode()
    return bytes((len(raw),)) + raw


def long(text: str) -> bytes:
    """A long string; what UTF-8 cannot hold becomes a question mark."""
    raw = text.encode(errors="replace")
    return pack(">I", len(raw)) + raw


def table(fields: Mapping[str, Any]) -> bytes:
    """A field table of texts, whole numbers, flags and tables. Raises ``ValueError`` for a name that is too long."""
    content = b"".join(short(name) + _field(value) for name, value in fields.items())
    return pack(">I", len(content)) + content


def _field(value: object) -> bytes:
    match value:
        case str():
            return b"S" + long(value)
        case bool():
            return b"t" + bytes((value,))
        case int():
            return b"l" + pack(">q", value)
        case Mapping():
            return b"F" + table(value)
        case _:
            raise TypeError(f"no field of a table: {value!r}")
