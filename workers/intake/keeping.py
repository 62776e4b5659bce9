"""What has no other memory is kept; of what clients send wrongly, only as much as leaves room for the others'."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from msgspec import structs

from contracts.topology import DEAD_QUEUE
from workers.broker.frames import signed
from workers.broker.publisher import Publication
from workers.intake.answering import Kept
from workers.intake.dead_allowance import DeadAllowance
from workers.meters import Meters

_log = structlog.get_logger(__name__)

_TOLD_EVERY_SECONDS: Final = 10.0


class _Publishing(Protocol):
    async def keep(self, message: Publication, otherwise: Publication | None = None) -> None: ...

    async def offer(self, message: Publication) -> bool: ...


class Keeping:
    """Publishes what an acknowledgement waits for. ``login`` is ours at the broker, and proves that a copy is ours;
    ``share``: how much this worker keeps of what all together may."""

    def __init__(
        self,
        publishing: _Publishing,
        meters: Meters,
        clock: Callable[[], float] = time.monotonic,
        login: str = "",
        *,
        share: Callable[[], float],
    ) -> None:
        self._publishing = publishing
        self._login = login
        self._meters = meters
        self._clock = clock
        self._share = share
        self._allowance = DeadAllowance(clock)
        self._told_at: float | None = None

    async def keep(self, kept: Kept) -> None:
        """Returns once it is confirmed, or, for a client's mistake, given up: that must hold up nobody else."""
        message = kept.message
        if self._login and message.routing_key == DEAD_QUEUE:
            message = structs.replace(message, header=signed(message.header, self._login))
        if kept.blame is None:
            await self._publishing.keep(message, kept.otherwise)
            if message.routing_key == DEAD_QUEUE:
                self._meters.dead.labels("ours").inc()
        elif not self._allowance.take(kept.blame.of, len(message.body), self._share()):
            self._lose(kept.blame.login, "its app has sent too much of the kind")
        elif not await self._publishing.offer(message):
            self._lose(kept.blame.login, "the queue does not take it")
        else:
            self._meters.dead.labels("client").inc()

    def _lose(self, login: str | None, reason: str) -> None:
        """Counts each, and tells of one now and then: the log must not be filled instead."""
        self._meters.mistakes_lost.inc()
        now = self._clock()
        if self._told_at is None or now - self._told_at >= _TOLD_EVERY_SECONDS:
            self._told_at = now
            _log.error("no copy of an unreadable message is kept", login=login, reason=reason)
