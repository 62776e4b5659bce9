"""The orders of mails, as far as the relay may see them: which are due."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
PAGE: Final = 100


async def list_due(connection: Connection) -> list[UUID]:
    """A page of orders that are due, the longest due first."""
    return [row["id"] for row in await connection.fetch(_SQL["list_due_mails"], PAGE)]


async def mark_rung(connection: Connection, mails: list[UUID], again_in: timedelta) -> None:
    """Makes them due again later: a bell may be lost."""
    await connection.execute(_SQL["mark_rung"], mails, again_in)


async def count(connection: Connection) -> int:
    """How many orders there are, due or not."""
    return await connection.fetchval(_SQL["count_mails"]) or 0
