"""Every minute: who has expired lots that nobody posted yet gets a command ``credits.expire``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from contracts.commands import Expire
from workers.broker.errors import BrokerError, NotAcceptedError
from workers.ledger.faults import Fault
from workers.ledger.store.expired import ExpiredLot
from workers.waiting import wait_at_most

_log = structlog.get_logger(__name__)

ROUND_SECONDS: Final = 60.0
_AGAIN_SECONDS: Final = 5.0
"""After a round that failed."""
LOTS_AT_ONCE: Final = 500
_LATE_SECONDS: Final = 3 * ROUND_SECONDS
QUIET_SECONDS: Final = 300.0
"""So long nobody is woken a second time: while no worker is there, the first command still waits in its queue."""
REMEMBERED_MAX: Final = 100_000
"""Beyond so many the longest remembered are forgotten: one of their commands too many does no harm."""

Expired = Callable[[int, ExpiredLot | None], Awaitable[list[ExpiredLot]]]
"""At most so many expired lots, the oldest first, from behind the given one on."""
Send = Callable[[str, str, bytes], Awaitable[None]]
"""Command's name, user, body: returns once it is confirmed. Raises ``BrokerError``."""


class Clock:
    """Rounds until stopped. A command too many does no harm: it finds nothing to post."""

    def __init__(self, expired: Expired, send: Send, registry: CollectorRegistry = REGISTRY) -> None:
        self._expired = expired
        self._send = send
        self._stopping = asyncio.Event()
        self._problem = ("clock", "no round yet")
        self._rounded_at: float | None = None
        self._woken_at: dict[str, float] = {}
        """Who was woken lately, and when; the earliest first."""
        self._woken = Counter("mana_clock_woken", "Users sent a command credits.expire", registry=registry)

    def stop(self) -> None:
        """Ends the rounds."""
        self._stopping.set()

    def problems(self) -> dict[str, str]:
        """What kept the last rounds from being done."""
        if self._rounded_at is None or asyncio.get_running_loop().time() - self._rounded_at > _LATE_SECONDS:
            return dict([self._problem])
        return {}

    async def run(self) -> None:
        """Rounds until stopped; a failed one is tried again soon."""
        while not self._stopping.is_set():
            await wait_at_most(self._stopping, await self.round())

    async def round(self) -> float:
        """Wakes whom it must once; answers the seconds until the next time."""
        try:
            refused = await self._wake_all()
        except Fault as fault:
            return self._failed("postgresql", fault)
        except BrokerError as error:
            return self._failed("rabbitmq", error)
        if refused is not None:
            self._failed("rabbitmq", refused)
            return ROUND_SECONDS  # a full queue has enough to do
        self._rounded_at = asyncio.get_running_loop().time()
        return ROUND_SECONDS

    async def _wake_all(self) -> NotAcceptedError | None:
        """Everybody with expired lots, page by page; answers why the last of those who could not be was not woken."""
        self._forget()
        refused: NotAcceptedError | None = None
        last: ExpiredLot | None = None
        while not self._stopping.is_set():
            lots = await self._expired(LOTS_AT_ONCE, last)
            for user_id in dict.fromkeys(lot.account_id for lot in lots):
                try:
                    await self._wake(user_id)
                except NotAcceptedError as error:  # this user's queue is full or missing: the next one's may not be
                    refused = error
            if len(lots) < LOTS_AT_ONCE:
                break
            last = lots[-1]
        return refused

    async def _wake(self, user_id: str) -> None:
        if user_id in self._woken_at:
            return
        await self._send(Expire.type, user_id, msgspec.json.encode(Expire(user_id=user_id)))
        self._woken.inc()
        if len(self._woken_at) >= REMEMBERED_MAX:
            del self._woken_at[next(iter(self._woken_at))]
        self._woken_at[user_id] = asyncio.get_running_loop().time()

    def _forget(self) -> None:
        """Those who may be woken again."""
        until = asyncio.get_running_loop().time() - QUIET_SECONDS
        while self._woken_at and self._woken_at[first := next(iter(self._woken_at))] <= until:
            del self._woken_at[first]

    def _failed(self, part: str, error: Exception) -> float:
        _log.warning("the round is tried again", part=part, reason=str(error))
        self._problem = (part, str(error))
        return _AGAIN_SECONDS
