"""Messages that come as their senders made them, with properties of any bytes, end no connection of ours.

A worker's copy is clean. What the broker itself gave up is not: one such message would be met again by each look, and
the library gives a connection up for it. In whole processes, for the library has one way to read.
"""

from __future__ import annotations

import struct
from typing import Final

from pamqp.header import ContentHeader

_UNREADABLE: Final = (ValueError, OverflowError, RecursionError, struct.error)
_strictly: Final = ContentHeader.unmarshal


def read_whatever_comes() -> None:
    """From now on, properties from the first one on that cannot be read count as not set. The body is not touched."""
    setattr(ContentHeader, "unmarshal", _leniently)  # noqa: B010 - a type checker takes no plain assignment


def _leniently(header: ContentHeader, data: bytes) -> None:
    try:
        _strictly(header, data)
    except _UNREADABLE:
        header.class_id, header.weight, header.body_size = struct.unpack_from(">HHQ", data)
