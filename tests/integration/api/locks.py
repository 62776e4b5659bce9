"""Requests that wait for a row that a test holds."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

_WAITING: Final = """
SELECT count(*) >= $1 FROM pg_stat_activity WHERE usename = 'mana_api' AND wait_event_type = 'Lock'
"""


async def until_waiting(as_api: asyncpg.Connection, most: int) -> None:
    """Until so many of the front's sessions wait for a lock."""
    async with asyncio.timeout(20):
        while not await as_api.fetchval(_WAITING, most):
            await asyncio.sleep(0.01)
