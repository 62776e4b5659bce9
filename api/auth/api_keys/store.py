"""Keys in PostgreSQL; but for ``find``, in a transaction as the user whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

from api.auth.api_keys.text import KeyText
from api.database import Connection, one
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")

Scope = Literal["credits:read", "credits:use"]


@dataclass(frozen=True)
class StoredKey:
    """A key that is good now; ``noted`` where its use was written down within the last minute."""

    user_id: UUID
    hash: bytes
    scopes: Sequence[Scope]
    created_at: datetime
    expires_at: datetime | None
    noted: bool


@dataclass(frozen=True)
class ListedKey:
    """A key as its user sees it."""

    id: str
    name: str
    scopes: Sequence[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


async def find(connection: Connection, key_id: str) -> StoredKey | None:
    """The key of that id, neither revoked nor expired nor of a banned user. One statement, no user set."""
    row = await connection.fetchrow(_SQL["find_key"], key_id)
    return None if row is None else StoredKey(**row)


async def note_use(connection: Connection, key_id: str) -> None:
    """Writes down that the key is used now, unless that was done within the last minute."""
    await connection.execute(_SQL["note_use"], key_id)


async def list_keys(connection: Connection, user_id: UUID) -> list[ListedKey]:
    """Keys that are not revoked, the newest first."""
    return [ListedKey(**row) for row in await connection.fetch(_SQL["list_keys"], user_id)]


async def count_live(connection: Connection, user_id: UUID) -> int:
    """How many of the user's keys are good."""
    return one(await connection.fetchrow(_SQL["count_live"], user_id))["count"]


async def add(
    connection: Connection, user_id: UUID, key: KeyText, *, name: str, scopes: Sequence[Scope], until: datetime | None
) -> ListedKey:
    """Adds a key, and takes away those that were over long ago."""
    await connection.execute(_SQL["drop_dead"], user_id)
    return ListedKey(**one(await connection.fetchrow(_SQL["add_key"], key.id, user_id, name, key.hash, scopes, until)))


async def revoke(connection: Connection, user_id: UUID, key_id: str) -> bool:
    """Ends the user's key for good. False where there is none such."""
    return await connection.fetchval(_SQL["revoke_key"], key_id, user_id) is not None


async def end_keys(connection: Connection, user_id: UUID) -> list[str]:
    """Ends all of the user's keys that are good, and returns which."""
    return [row["id"] for row in await connection.fetch(_SQL["end_keys"], user_id)]
