"""What the database lets administrators see and do, by its own judgement of who is one.

Each function works inside a transaction that its caller opened with ``as_administrator``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import uuid_utils.compat

from api.auth.admin.model import (
    Administrator,
    EventSelection,
    KnownUser,
    RecordedEvent,
    Role,
    WholeUser,
)
from api.auth.model import EventType, LiveSession, User
from api.database import Connection, Database
from api.errors import refuse
from api.outbox.store import PendingCommand
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
_NO_ADMINISTRATOR: Final = "not an administrator"
"""What ``auth.require_admin`` says; other missing rights are a fault of ours."""


@asynccontextmanager
async def as_administrator(database: Database, user_id: UUID) -> AsyncGenerator[Connection]:
    """A transaction as that user. Raises ``Refusal`` (``forbidden``) for who is no administrator, or no longer one."""
    try:
        async with database.as_user(user_id) as connection:
            yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        if error.args[0] != _NO_ADMINISTRATOR:
            raise
        raise refuse("forbidden", "this is for administrators") from error


async def lock_user(connection: Connection, user_id: UUID) -> KnownUser | None:
    """Before each act: acts of administrators go one after the other, and the user's own wait. ``None``: no such user.

    Before any lock of the administrator's own row: two who act on each other would wait for each other.
    """
    row = await connection.fetchrow(_SQL["lock_user"], user_id)
    return None if row is None else _known(row)


async def set_ban(connection: Connection, user_id: UUID, reason: str | None) -> list[UUID]:
    """Bans, or without a reason lifts the ban; returns the sessions that it ended."""
    return [row["id"] for row in await connection.fetch(_SQL["set_ban"], user_id, reason)]


async def set_role(connection: Connection, user_id: UUID, role: Role) -> list[UUID]:
    """Gives the user another role; returns the sessions that it ended."""
    return [row["id"] for row in await connection.fetch(_SQL["set_role"], user_id, role)]


async def end_sessions(connection: Connection, user_id: UUID, only: UUID | None = None) -> list[UUID]:
    """Ends all of a user's sessions, or the one named if it is theirs and lives; returns those that it ended."""
    return [row["id"] for row in await connection.fetch(_SQL["end_sessions"], user_id, only, "revoked")]


async def end_keys(connection: Connection, user_id: UUID) -> list[str]:
    """Ends all keys of a user's scripts that are good; returns those that it ended."""
    return [row["key_id"] for row in await connection.fetch(_SQL["end_keys"], user_id)]


async def add_act(
    connection: Connection,
    by: Administrator,
    event: EventType,
    user_id: UUID | None,
    *,
    session_id: UUID | None = None,
    details: Mapping[str, Any] | None = None,
) -> UUID:
    """Writes an act down, with both ids; returns the event's.

    ``details`` outlive the user: nothing personal belongs there, but for what is said of a ban and of its end, which
    goes when a deleted user's traces do.
    """
    event_id = uuid_utils.compat.uuid7()
    told = None if details is None else msgspec.json.encode(details).decode()
    client = by.client
    await connection.execute(
        _SQL["add_act"], event_id, user_id, session_id, event, client.address, client.user_agent, told
    )
    return event_id


async def add_command(connection: Connection, pending: PendingCommand) -> None:
    """Keeps a command for the user's account, behind those of earlier acts."""
    await connection.execute(_SQL["add_command"], pending.id, pending.user_id, pending.command, pending.body)


async def find_whole(connection: Connection, user_id: UUID) -> WholeUser | None:
    """One user with all that administrators see of them."""
    row = await connection.fetchrow(_SQL["get_user"], user_id)
    if row is None:
        return None
    two_factor = bool(await connection.fetchval(_SQL["has_two_factor"], user_id))
    return WholeUser(_known(row), two_factor, len(await list_sessions(connection, user_id)))


async def list_users(connection: Connection, prefix: str, after: UUID | None, limit: int) -> list[KnownUser]:
    """Users whose address's key begins so, in the order of registration, those behind ``after``."""
    return [_known(row) for row in await connection.fetch(_SQL["list_users"], prefix, after, limit)]


async def list_sessions(connection: Connection, user_id: UUID) -> list[LiveSession]:
    """A user's live sessions, the newest first."""
    return [LiveSession(**row) for row in await connection.fetch(_SQL["list_sessions"], user_id)]


async def list_events(connection: Connection, wanted: EventSelection) -> list[RecordedEvent]:
    """Security events, the newest first."""
    before = (None, None) if wanted.before is None else (wanted.before.created_at, wanted.before.id)
    rows = await connection.fetch(_SQL["list_events"], wanted.user_id, wanted.type, wanted.since, *before, wanted.limit)
    return [_event(row) for row in rows]


def _known(row: asyncpg.Record) -> KnownUser:
    columns = dict(row)
    banned_at, ban_reason, language = (columns.pop(name) for name in ("banned_at", "ban_reason", "language"))
    return KnownUser(User(**columns), banned_at, ban_reason, language)


def _event(row: asyncpg.Record) -> RecordedEvent:
    columns: dict[str, Any] = dict(row)
    details = columns.pop("details")
    return RecordedEvent(**columns, details=None if details is None else msgspec.json.decode(details))
