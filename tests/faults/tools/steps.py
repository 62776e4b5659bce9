"""Steps of AMQP's protocol as they pass a proxy: where one begins, and how far it reaches."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

_HEAD: Final = Struct(">BHL")
_END_BYTES: Final = 1
_METHOD: Final = 1
_HEARTBEAT: Final = 8


@dataclass
class Step:
    """A line is cut in the middle of the next one of its kind: behind ``part`` (0 to 1) of its bytes.

    ``method``: the class and the number of the method that it begins with, and what its arguments begin with. A
    message's header and body belong to it. ``reached`` is set when it happens: the proof; ``size`` of ``length`` bytes
    have passed then. One whose first frame comes in two pieces is let pass.
    """

    method: tuple[int, int]
    part: float
    arguments: bytes = b""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    size: int = 0
    length: int = 0

    def __post_init__(self) -> None:
        number, kind = self.method
        named = re.escape(number.to_bytes(2, "big") + kind.to_bytes(2, "big") + self.arguments)
        self._begins = re.compile(rb"\x01[\x00-\xff]{6}" + named)

    def passes(self, piece: bytes) -> int | None:
        """How many bytes of this piece pass before the cut; ``None`` where the step does not begin in it."""
        begins = self._begins.search(piece)
        if begins is None:
            return None
        self.length = _reach(piece, begins.start())
        self.size = min(int(self.part * self.length), self.length - 1)
        return begins.start() + self.size


def _reach(piece: bytes, begin: int) -> int:
    """Bytes of the method's frame and the content behind it, as far as they are in this piece."""
    end = begin
    while end + _HEAD.size <= len(piece):
        kind, _, size = _HEAD.unpack_from(piece, end)
        if end > begin and kind in {_METHOD, _HEARTBEAT}:
            break
        end += _HEAD.size + size + _END_BYTES
    return min(end, len(piece)) - begin
