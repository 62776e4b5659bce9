"""Every minute: who has expired lots that nobody posted yet gets a command ``credits.expire``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from contracts.commands import Expire
from workers.broker.errors import BrokerError
from workers.ledger.faults import Fault

_log = structlog.get_logger(__name__)

ROUND_SECONDS: Final = 60.0
_AGAIN_SECONDS: Final = 5.0
"""After a round that failed, or that found more than it may wake at once."""
LOTS_AT_ONCE: Final = 500
_LATE_SECONDS: Final = 3 * ROUND_SECONDS

Expired = Callable[[int], Awaitable[list[str]]]
"""Users with expired lots, for at most so many lots."""
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
            pause = await self._round()
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _round(self) -> float:
        """Answers the seconds until the next one."""
        try:
            users = await self._expired(LOTS_AT_ONCE)
            for user_id in users:
                await self._send(Expire.type, user_id, msgspec.json.encode(Expire(user_id=user_id)))
                self._woken.inc()
        except Fault as fault:
            return self._failed("postgresql", fault)
        except BrokerError as error:
            return self._failed("rabbitmq", error)
        self._rounded_at = asyncio.get_running_loop().time()
        return _AGAIN_SECONDS if len(users) >= LOTS_AT_ONCE else ROUND_SECONDS

    def _failed(self, part: str, error: Exception) -> float:
        _log.warning("the round is tried again", part=part, reason=str(error))
        self._problem = (part, str(error))
        return _AGAIN_SECONDS
