"""Requests that wait for a row that a test holds."""

from __future__ import annotations

from typing import Final

import asyncpg

from tests.faults.tools import telling

_WAITING: Final = """
SELECT count(*) >= $1 FROM pg_stat_activity WHERE usename = 'mana_api' AND wait_event_type = 'Lock'
"""


async def until_waiting(as_api: asyncpg.Connection, number: int) -> None:
    """Until so many of the front's sessions wait for a lock."""

    async def are_waiting() -> bool:
        return bool(await as_api.fetchval(_WAITING, number))

    await telling.until(are_waiting, f"{number} sessions wait for a lock", 20)
