"""Puts in order what users leave behind, now and then, and harms nothing else whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from workers.ledger.faults import Fault
from workers.payments.leaving.abandoned import GivingUp
from workers.payments.leaving.forgetting import Forgetting

_log = structlog.get_logger(__name__)

_ROUND_SECONDS: Final = 10.0


class Leaving:
    """Rounds until cancelled; one that fails is followed by the next."""

    def __init__(self, forgetting: Forgetting, giving_up: GivingUp) -> None:
        self._parts: tuple[Callable[[], Awaitable[None]], ...] = (forgetting.round, giving_up.round)

    async def run(self) -> None:
        """Round after round."""
        while True:
            for part in self._parts:
                try:
                    await part()
                except Fault as fault:
                    _log.warning("what users left behind waits for the database", reason=str(fault))
                except Exception:  # our own fault; the worker's work is another
                    _log.exception("what users left behind was not put in order")
            await asyncio.sleep(_ROUND_SECONDS)
