"""How much of what an app sends wrongly is kept in ``credits.dead``: no client may fill it for all others.

Each app has a store of bytes that fills up again with time. A copy that does not fit is not kept: its sender has been
told where it could be, and it is counted. All workers together stand for one store: each for as much of it as it owns
of the partitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

BURST_BYTES: Final = 512 * 1024 * 1024
"""A quarter of what the queue holds (``contracts.topology.DEAD_QUEUE_BYTES``)."""
BYTES_PER_SECOND: Final = 64 * 1024
"""At this rate one app alone fills the rest in seven hours, and somebody has seen it grow by then."""
COPY_BYTES: Final = 1_024
"""What a copy costs besides its body."""


class _Store(Struct):
    bytes_left: float
    at: float


class DeadAllowance:
    """The stores of all who sent something wrong: an app, or a login that is no app's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stores: dict[str, _Store] = {}

    def take(self, whose: str, body_bytes: int, share: float) -> bool:
        """Whether a copy with so long a body may be kept now; if so, it is paid for.

        ``share``: the part of each store that is this worker's. What it gains of it fills up with time: who had it
        before may have spent it.
        """
        now, cost = self._clock(), body_bytes + COPY_BYTES
        room = share * BURST_BYTES
        store = self._stores.setdefault(whose, _Store(room, now))
        store.bytes_left = min(room, store.bytes_left + (now - store.at) * share * BYTES_PER_SECOND)
        store.at = now
        if store.bytes_left < cost:
            return False
        store.bytes_left -= cost
        return True
