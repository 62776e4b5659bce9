"""Messages that no decent library would send, as bare frames: any bytes for any property."""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack
from typing import Final

from bench.frames import Template, methods
from bench.frames.properties import BASIC
from bench.frames.wire import BODY, FRAME_OVERHEAD, HEADER, frame, long_string, method, short_string
from ops.servers.rabbitmq import FRAME_MAX

EXCHANGE: Final = "credits.commands"
_BODY_BYTES: Final = FRAME_MAX - FRAME_OVERHEAD
"""Of one body frame, as our RabbitMQ takes it."""

_ORDER: Final = (
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
    "type",
    "user_id",
    "app_id",
    "cluster_id",
)
"""AMQP 0-9-1, class basic: as the values follow each other; the first has the highest flag."""


def text(value: bytes) -> bytes:
    """A property that is text, of any bytes."""
    return short_string(value)


def header_table(fields: bytes) -> bytes:
    """The property ``headers``, of any bytes."""
    return long_string(fields)


def header(name: bytes, kind: bytes, value: bytes) -> bytes:
    """One header: its type's letter, and the value as it stands on the wire."""
    return short_string(name) + kind + value


class Spoilt(Template):
    """One message with these properties, each as it stands on the wire."""

    def __init__(self, properties: Mapping[str, bytes]) -> None:
        super().__init__(EXCHANGE, "", "")
        self._properties = properties

    def frames(self, routing_key: bytes, correlation_id: bytes, body: bytes) -> bytes:
        """The frames; ``correlation_id`` is set where the properties have none. A body may be of any length."""
        properties = {"correlation_id": text(correlation_id), **self._properties}
        flags = sum(1 << (15 - at) for at, name in enumerate(_ORDER) if name in properties)
        values = b"".join(properties[name] for name in _ORDER if name in properties)
        where = pack(">H", 0) + short_string(EXCHANGE) + short_string(routing_key) + b"\x01"
        return (
            method(1, methods.BASIC_PUBLISH, where)
            + frame(HEADER, 1, pack(">HHQH", BASIC, 0, len(body), flags) + values)
            + b"".join(frame(BODY, 1, body[at : at + _BODY_BYTES]) for at in range(0, len(body), _BODY_BYTES))
        )
