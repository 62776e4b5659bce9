"""The outbox's rows. Each function works inside its caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import uuid_utils.compat

from api.database import Connection, one
from api.sql import Statements
from contracts.commands import Command
from contracts.replies import as_json

_SQL: Final = Statements(Path(__file__).parent / "sql")
PAGE: Final = 100


@dataclass(frozen=True)
class PendingCommand:
    """A command that must reach the broker; ``command`` is its type, ``body`` its JSON."""

    id: UUID
    user_id: UUID
    command: str
    body: str

    @classmethod
    def of(cls, command: Command) -> PendingCommand:
        """The row of a command for its own user."""
        body = as_json(command).decode()
        return cls(uuid_utils.compat.uuid7(), UUID(command.user_id), command.type, body)


@dataclass(frozen=True)
class Place:
    """Where a page ended."""

    created_at: datetime
    id: UUID


START: Final = Place(datetime.min.replace(tzinfo=UTC), UUID(int=0))


async def add(connection: Connection, pending: PendingCommand) -> None:
    """Keeps a command along with whatever else the transaction commits."""
    await connection.execute(_SQL["add_command"], pending.id, pending.user_id, pending.command, pending.body)


async def remove(connection: Connection, command_id: UUID) -> None:
    """Forgets a command that the broker has."""
    await connection.execute(_SQL["remove_command"], command_id)


async def list_of_user(connection: Connection, user_id: UUID) -> list[PendingCommand]:
    """The user's commands that nobody has delivered yet, oldest first."""
    return [PendingCommand(**row) for row in await connection.fetch(_SQL["list_of_user"], user_id)]


async def list_due(
    connection: Connection, older_than: timedelta, after: Place
) -> tuple[list[PendingCommand], Place | None]:
    """A page of what is due, and where the next one begins, if there may be one."""
    rows = await connection.fetch(_SQL["list_due"], older_than, after.created_at, after.id, PAGE)
    page = [PendingCommand(row["id"], row["user_id"], row["command"], row["body"]) for row in rows]
    return page, Place(rows[-1]["created_at"], rows[-1]["id"]) if len(rows) == PAGE else None


async def measure(connection: Connection) -> tuple[int, float]:
    """How many commands wait, and the oldest one's age in seconds."""
    row = one(await connection.fetchrow(_SQL["measure"]))
    return row["waiting"], row["oldest_seconds"]
