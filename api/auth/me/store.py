"""A user's own profile and its end, in PostgreSQL. Each function works in its caller's transaction, as that user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from api.auth.model import Language, User
from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


@dataclass(frozen=True)
class Profile:
    """A user as the user sees it; ``two_factor`` tells whether a second factor is on."""

    user: User
    language: Language
    two_factor: bool


async def get(connection: Connection, user_id: UUID) -> Profile | None:
    """The user's profile; ``None``: no such user."""
    row = await connection.fetchrow(_SQL["get_me"], user_id)
    if row is None:
        return None
    columns = dict(row)
    language, two_factor = columns.pop("language"), columns.pop("two_factor")
    return Profile(User(**columns), language, two_factor)


async def rename(connection: Connection, user_id: UUID, name: str | None) -> None:
    """Changes or clears the user's name."""
    await connection.execute(_SQL["rename_me"], user_id, name)


async def is_last_admin(connection: Connection) -> bool:
    """Whether nobody else could administrate. Before the user's lock: administrators lock each other out first."""
    return bool(await connection.fetchval(_SQL["is_last_admin"]))


async def delete(connection: Connection) -> None:
    """Deletes the transaction's user, and has what was written about them blanked from now on, in steps."""
    await connection.execute(_SQL["delete_me"])
