"""The context of a trace as it crosses a boundary: W3C's ``traceparent``, in a header of HTTP or of AMQP."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final

TRACEPARENT: Final = "traceparent"
"""The header's name, in HTTP and in AMQP."""

SENT_AT: Final = "timestamp_in_ms"
"""A header of AMQP: when a command was sent, in milliseconds since 1970. RabbitMQ sets it by itself where
it is told to (``message_interceptors.incoming.set_header_timestamp.overwrite``)."""

_SHAPE: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

current: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""Of what is being done now: what is sent on account of it carries this on."""


def read(value: object) -> str | None:
    """The trace context where it has its shape (w3.org/TR/trace-context), else ``None``: it is left behind."""
    return value if isinstance(value, str) and _SHAPE.fullmatch(value) else None


def trace_id(traceparent: str | None) -> str | None:
    """The 32 hexadecimal digits by which all that belongs together is found."""
    return None if traceparent is None else traceparent[3:35]
