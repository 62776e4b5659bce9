"""Work that is done again and again, and waits while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from workers.ledger.faults import Fault

_log = structlog.get_logger(__name__)


async def rounds(one: Callable[[], Awaitable[None]], seconds: float, *, waiting: str) -> None:
    """Round after round, ``seconds`` apart, until cancelled; one that fails is followed by the next.

    ``waiting`` is what the log says of a round that the database kept from ending.
    """
    while True:
        try:
            await one()
        except Fault as fault:
            _log.warning(waiting, reason=str(fault))
        await asyncio.sleep(seconds)
