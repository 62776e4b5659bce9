"""Waits until the broker is as the rows say: the keeper of logins (``workers.apps``) hears of each change."""

from __future__ import annotations

import asyncio
from typing import Final

from api.apps.admin import store
from api.database import Database

_LOOK_SECONDS: Final = 0.05


async def await_broker(database: Database, app_id: str, seconds: float) -> bool:
    """Whether it is within so many seconds. What is not yet is done later, without anybody's help."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        if await _is_ready(database, app_id):
            return True
        if loop.time() >= until:
            return False
        await asyncio.sleep(_LOOK_SECONDS)


async def _is_ready(database: Database, app_id: str) -> bool:
    async with database.statement() as connection:
        return await store.is_broker_ready(connection, app_id)
