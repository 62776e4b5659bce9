"""Messages that come in: a method, then a header, then as many body frames as its size asks for."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.frames.properties import body_size, correlation_id
from bench.frames.wire import read_short_string


@dataclass
class Content:
    """One message on its way in; ``method`` is what brought it (a delivery or a return), ``arguments`` its payload."""

    method: int
    arguments: bytes
    correlation_id: bytes = b""
    missing: int = -1
    parts: list[bytes] = field(default_factory=list[bytes])

    def take_header(self, payload: bytes) -> bool:
        """Reads the header; true where the message is whole with it (an empty body)."""
        self.correlation_id = correlation_id(payload)
        self.missing = body_size(payload)
        return self.missing == 0

    def take_body(self, payload: bytes) -> bool:
        """Takes a part of the body; true where it was the last."""
        self.parts.append(payload)
        self.missing -= len(payload)
        return self.missing <= 0

    @property
    def delivery_tag(self) -> int:
        """What a delivery is acknowledged by."""
        _, offset = read_short_string(self.arguments, 4)
        return int.from_bytes(self.arguments[offset : offset + 8], "big")

    @property
    def body(self) -> bytes:
        """The whole body."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
