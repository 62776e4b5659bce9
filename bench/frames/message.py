"""A message whose properties are its own: a load that sends one shape many times uses a `Template` instead."""

from __future__ import annotations

from struct import pack
from typing import Final

from bench.frames import methods
from bench.frames.properties import BASIC, Properties
from bench.frames.wire import BODY, HEADER, frame, method, short_string

_MANDATORY: Final = b"\x01"


def message_frames(exchange: str, routing_key: str, properties: Properties, body: bytes, channel: int = 1) -> bytes:
    """The three frames of one mandatory message; its body is less than a frame, and not empty."""
    arguments = b"\x00\x00" + short_string(exchange) + short_string(routing_key) + _MANDATORY
    header = pack(">HHQ", BASIC, 0, len(body)) + properties.encoded()
    return b"".join(
        (method(channel, methods.BASIC_PUBLISH, arguments), frame(HEADER, channel, header), frame(BODY, channel, body))
    )
