"""Passwords in PostgreSQL, and what goes with them. Functions work inside their caller's transaction, as the user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


@dataclass(frozen=True)
class Known:
    """A user beside the password's hash, as they were when they were read; ``epoch`` tells whether they still are."""

    email: str
    name: str | None
    epoch: int
    hash: str | None


async def find(connection: Connection, user_id: UUID) -> Known | None:
    """The user and the password's hash, without a lock."""
    row = await connection.fetchrow(_SQL["find_password"], user_id)
    return None if row is None else Known(**row)


async def put(connection: Connection, user_id: UUID, password_hash: str) -> None:
    """The user has this password, and had another or none."""
    await connection.execute(_SQL["put_password"], user_id, password_hash)


async def forget_devices(connection: Connection, user_id: UUID) -> None:
    """No device counts as known any more."""
    await connection.execute(_SQL["forget_devices"], user_id)
