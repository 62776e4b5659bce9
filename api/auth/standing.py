"""The user's row, locked: whoever starts or continues a session, and whoever changes what proves a user, meet here.

Locks are taken in one order everywhere: the user's row, then rows of sessions by id, then rows of tokens. A transaction
asks for one lock of the user, and for the strong one at once if it needs it: to ask for it after the weak one would
wait for another that does the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from api.auth.model import Standing, User
from api.database import Connection, one
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


async def enter(connection: Connection, user_id: UUID) -> Standing | None:
    """Locks the user as it is against changes, until the transaction's end; many may be in. ``None``: no such user.

    In a transaction as that user. Waits for who has seized it, and sees what they have committed.
    """
    return _standing(await connection.fetchrow(_SQL["enter_standing"], user_id))


async def seize(connection: Connection, user_id: UUID) -> Standing | None:
    """Locks the user for a change: waits for all who are in, and keeps out who comes. ``None``: no such user."""
    return _standing(await connection.fetchrow(_SQL["seize_standing"], user_id))


async def bump(connection: Connection, user_id: UUID) -> int:
    """Raises the epoch of a user that was seized, so that nothing begun before is finished; returns the new one."""
    return one(await connection.fetchrow(_SQL["bump_epoch"], user_id))["credential_epoch"]


def _standing(row: asyncpg.Record | None) -> Standing | None:
    if row is None:
        return None
    columns = dict(row)
    banned, epoch, language = (columns.pop(name) for name in ("banned", "credential_epoch", "language"))
    return Standing(User(**columns), banned=banned, epoch=epoch, language=language)
