"""Tokens of links in PostgreSQL. Each function works inside its caller's transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from api.auth.mail_links.links import Link, Purpose
from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


class AddressTaken(Exception):  # noqa: N818 - says what is so
    """Another user has the address; the transaction is over."""


async def find_owner(connection: Connection, purpose: Purpose, token_hash: bytes) -> UUID | None:
    """Whose token it is, spent or not, in a transaction without a user."""
    return await connection.fetchval(_SQL["find_token_owner"], purpose, token_hash)


async def find(connection: Connection, purpose: Purpose, token_hash: bytes) -> Link | None:
    """The user's token, as it is at this moment; ``None`` where it was spent, voided or has expired."""
    row = await connection.fetchrow(_SQL["find_token"], purpose, token_hash)
    return None if row is None else Link(**row)


async def lock(connection: Connection, purpose: Purpose, token_hash: bytes) -> Link | None:
    """The same, and nobody else spends it until the transaction's end. After ``standing.seize``."""
    row = await connection.fetchrow(_SQL["lock_token"], purpose, token_hash)
    return None if row is None else Link(**row)


async def mark_spent(connection: Connection, token_id: UUID) -> None:
    """It was used, by this transaction."""
    await connection.execute(_SQL["spend_token"], token_id)


async def void_others(connection: Connection, user_id: UUID, spent: UUID | None) -> None:
    """Whatever else waits to be confirmed for the user comes to nothing, but for a proof of the address."""
    await connection.execute(_SQL["void_tokens"], user_id, spent)


async def confirm_address(connection: Connection, spent: UUID) -> None:
    """The user's address is proven by a token that this transaction has spent."""
    if not await connection.fetchval(_SQL["confirm_address"], spent):
        raise LookupError("a link that was found good proves no address")


async def move_address(connection: Connection, spent: UUID) -> None:
    """The user has the address of a token that this transaction has spent; before the epoch is raised.

    Raises ``AddressTaken``.
    """
    try:
        moved = await connection.fetchval(_SQL["move_address"], spent)
    except asyncpg.UniqueViolationError as error:
        raise AddressTaken from error
    if not moved:
        raise LookupError("a link that was found good moves no address")


async def note_bonus(connection: Connection, user_id: UUID) -> None:
    """A bonus waits for the user's first proof of an address."""
    await connection.execute(_SQL["note_bonus"], user_id)


async def take_bonus(connection: Connection, user_id: UUID) -> bool:
    """Whether one waited; it waits no longer."""
    return await connection.fetchval(_SQL["take_bonus"], user_id) is not None
