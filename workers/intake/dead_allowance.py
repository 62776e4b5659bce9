"""How much of what a login sends wrongly is kept in ``credits.dead``: no client may fill it for all others.

Each login has a store of bytes that fills up again with time. A copy that does not fit is not kept: its sender has been
told where it could be, and it is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

BURST_BYTES: Final = 512 * 1024 * 1024
"""A quarter of what the queue holds (``contracts.topology.DEAD_QUEUE_BYTES``)."""
BYTES_PER_SECOND: Final = 64 * 1024
"""At this rate one login alone fills the rest in seven hours, and somebody has seen it grow by then."""
COPY_BYTES: Final = 1_024
"""What a copy costs besides its body."""


class _Store(Struct):
    bytes_left: float
    at: float


class DeadAllowance:
    """The stores of all logins; who never sent anything wrong has none. ``None`` is who did not say who they are."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stores: dict[str | None, _Store] = {}

    def take(self, login: str | None, body_bytes: int) -> bool:
        """Whether a copy with so long a body may be kept now; if so, it is paid for."""
        now, cost = self._clock(), body_bytes + COPY_BYTES
        store = self._stores.setdefault(login, _Store(BURST_BYTES, now))
        store.bytes_left = min(BURST_BYTES, store.bytes_left + (now - store.at) * BYTES_PER_SECOND)
        store.at = now
        if store.bytes_left < cost:
            return False
        store.bytes_left -= cost
        return True
