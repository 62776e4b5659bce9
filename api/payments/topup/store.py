"""What users have set of top-up; row-level security shows nobody else's.

Methods raise ``Unavailable`` where the database is away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID

from api.auth import standing
from api.auth import store as auth
from api.auth.model import SecurityEvent
from api.auth.sessions import not_signed_in_any_more
from api.database import Connection, Database
from api.payments.topup.model import Topup, Wish
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


class TopupStore:
    """Each method is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user_id: UUID) -> Topup:
        """As it stands."""
        async with self._database.as_user(user_id) as connection:
            return await _read(connection, user_id)

    async def is_offered(self, package_id: str) -> bool:
        """Whether the package can be bought."""
        async with self._database.statement() as connection:
            return await connection.fetchval(_SQL["is_offered"], package_id) is not None

    async def switch_on(
        self, user_id: UUID, wish: Wish, method: str, event: SecurityEvent, *, live: bool
    ) -> Topup | None:
        """Sets it, and writes the event; ``None`` where the package cannot be bought.

        Raises ``Refusal`` (``unauthorized``) for who has gone or was banned meanwhile.
        """
        values = (wish.below, wish.package_id, wish.max_per_month, method, live)
        async with self._database.as_user(user_id) as connection:
            await _enter(connection, user_id)
            row = await connection.fetchrow(_SQL["put_topup"], user_id, *values)
            if row is None:
                return None
            await auth.add_event(connection, event)
            return Topup(**row)

    async def switch_off(self, user_id: UUID, event: SecurityEvent) -> Topup:
        """Switches it off, and writes the event where it was on. Raises ``Refusal`` as above."""
        async with self._database.as_user(user_id) as connection:
            await _enter(connection, user_id)
            if await connection.fetchval(_SQL["switch_off"], user_id) is not None:
                await auth.add_event(connection, event)
            return await _read(connection, user_id)


async def _enter(connection: Connection, user_id: UUID) -> None:
    user = await standing.enter(connection, user_id)
    if user is None or user.banned:
        raise not_signed_in_any_more()


async def _read(connection: Connection, user_id: UUID) -> Topup:
    row = await connection.fetchrow(_SQL["get_topup"], user_id)
    return Topup() if row is None else Topup(**row)
