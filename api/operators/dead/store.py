"""What the database knows that decides on letters, and where acts on them are written down."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from api.auth.model import NOWHERE, EventType, SecurityEvent
from api.auth.store import add_event
from api.database import Database
from api.operators.dead.letters import Letter
from api.sql import Statements
from api.text import printable
from contracts.apps import Apps, directory

_SQL: Final = Statements(Path(__file__).parent / "sql")
_REASON_MAX: Final = 200
"""So that an event's details stay within what the table takes, whatever characters they are of."""


async def registered_apps(database: Database) -> Apps:
    """All of them, as a worker knows them. Raises ``Unavailable``."""
    async with database.transaction() as connection:
        return directory(await connection.fetch(_SQL["list_apps"]))


async def note(database: Database, act: EventType, letter: Letter, because: str | None = None) -> None:
    """Writes down what is about to be done, in a transaction of its own: no act is without. Raises ``Unavailable``."""
    details = {
        "by": "operator",
        "letter": letter.id,
        "command": printable(letter.command),
        "user": letter.user,
        "app": letter.app and printable(letter.app, 64),
        "login": letter.envelope.login,
        "key": letter.key,
        "kept": printable(letter.reason, _REASON_MAX),
        "because": because and printable(because, _REASON_MAX),
    }
    told = {name: value for name, value in details.items() if value is not None}
    async with database.transaction() as connection:
        await add_event(connection, SecurityEvent(act, NOWHERE, details=told))
