"""All that is kept about a user, as one JSON object of one moment, in pieces: however much it is, little of it is in
memory. Left out are secrets, and hashes and seals of secrets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Raw
from pydantic.alias_generators import to_camel

from api.auth import standing
from api.auth import store as auth
from api.auth.model import Client, SecurityEvent
from api.auth.recent import require_recent
from api.auth.tokens import Claims
from api.database import Connection, Database
from api.errors import Unavailable
from api.sql import Statements

AT_ONCE_MAX: Final = 2
"""Exports that one process makes at once: each holds a connection for as long as its client reads."""
_ROWS: Final = 500
_SQL: Final = Statements(Path(__file__).parent / "sql")
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True)
class Section:
    """One member of the object: a list of a statement's rows, or its one row or ``null``."""

    name: str
    statement: str
    many: bool = True


SECTIONS: Final = (
    Section("user", "export_user", many=False),
    Section("password", "export_password", many=False),
    Section("twoFactor", "export_two_factor", many=False),
    Section("identities", "export_identities"),
    Section("sessions", "export_sessions"),
    Section("refreshTokens", "export_refresh_tokens"),
    Section("devices", "export_devices"),
    Section("links", "export_links"),
    Section("mails", "export_mails"),
    Section("securityEvents", "export_events"),
    Section("administration", "export_acts"),
    Section("imports", "export_imports"),
    Section("pendingCommands", "export_commands"),
    Section("balance", "export_balance", many=False),
    Section("lots", "export_lots"),
    Section("transactions", "export_transactions"),
    Section("operations", "export_keys"),
    Section("refusals", "export_refusals"),
    Section("usage", "export_usage"),
    Section("purchases", "export_purchases"),
)


class Exports:
    """Makes exports, for users who have signed in within ``recent``."""

    def __init__(self, database: Database, recent: timedelta) -> None:
        self._database = database
        self._recent = recent
        self._underway = 0

    async def admit(self, claims: Claims, client: Client) -> None:
        """Lets an export begin, and writes an event of it.

        Raises ``Refusal`` (``forbidden`` without a recent sign-in), and ``Unavailable``.
        """
        async with self._database.as_user(claims.user_id) as connection:
            await standing.enter(connection, claims.user_id)
            await require_recent(connection, claims.session_id, self._recent)
            event = SecurityEvent("user.exported", client, claims.user_id, claims.session_id)
            await auth.add_event(connection, event)

    async def pieces(self, user_id: UUID) -> AsyncGenerator[bytes]:
        """The object's text. Raises ``Unavailable`` where too many are made, or the database goes away."""
        if self._underway >= AT_ONCE_MAX:
            raise Unavailable("exports", "too many exports at once")
        self._underway += 1
        try:
            async with self._database.snapshot_as_user(user_id) as connection:
                yield b'{"exportedAt":' + _ENCODER.encode(datetime.now(UTC))
                for section in SECTIONS:
                    async for piece in _section(connection, section):
                        yield piece
                yield b"}"
        finally:
            self._underway -= 1


async def _section(connection: Connection, section: Section) -> AsyncGenerator[bytes]:
    yield b"," + _ENCODER.encode(section.name) + b":"
    if section.many:
        yield b"["
        separator = b""
        async for rows in _pages(connection, _SQL[section.statement]):
            yield separator + b",".join(rows)
            separator = b","
        yield b"]"
    else:
        yield b"".join([b"".join(rows) async for rows in _pages(connection, _SQL[section.statement])]) or b"null"


async def _pages(connection: Connection, statement: str) -> AsyncGenerator[list[bytes]]:
    """The statement's rows as JSON objects; columns are named as on the wire, JSON stays the text that it is."""
    prepared = await connection.prepare(statement)
    columns = [(to_camel(column.name), column.type.name == "json") for column in prepared.get_attributes()]
    cursor = await prepared.cursor()
    while rows := await cursor.fetch(_ROWS):
        yield [_object(columns, row) for row in rows]


def _object(columns: list[tuple[str, bool]], row: Any) -> bytes:
    values = zip(columns, row.values(), strict=True)
    return _ENCODER.encode(
        {name: Raw(value.encode()) if is_json and value is not None else value for (name, is_json), value in values}
    )
