"""All that is kept about a user, as one JSON object in pieces: however much it is, little of it is in memory. Left out
are secrets, and hashes and seals of secrets.

Each page of rows is read in a short transaction of its own, so that a client that reads slowly holds nothing of the
database. What was there when the export began, and is neither changed nor deleted meanwhile, is in it once; what comes
meanwhile may be in it or not, and figures of different members may differ by that. The export of a user who is deleted
meanwhile is broken off.
"""

from __future__ import annotations

import asyncio
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
from api.auth.me import store
from api.auth.model import Client, SecurityEvent
from api.auth.recent import require_recent
from api.auth.sessions import session_over
from api.auth.tokens import Claims
from api.database import Database
from api.sql import Statements

AT_ONCE_MAX: Final = 2
"""Pages that one process reads at once, whoever they are for: exports leave connections to others."""
_ROWS: Final = 500
_SQL: Final = Statements(Path(__file__).parent / "sql")
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True)
class Section:
    """One member of the object: a list of a statement's rows, or its one row or ``null``.

    ``marks`` are the columns that a list is in order of: a statement takes how many rows it is to answer, and the marks
    of the row behind which it is to go on, ``NULL`` at first. Without marks a list is one page. Columns whose names
    begin with an underscore are marks and nothing else.
    """

    name: str
    statement: str
    marks: tuple[str, ...] = ()
    many: bool = True


SECTIONS: Final = (
    Section("user", "export_user", many=False),
    Section("password", "export_password", many=False),
    Section("twoFactor", "export_two_factor", many=False),
    Section("identities", "export_identities", ("created_at", "id")),
    Section("sessions", "export_sessions", ("id",)),
    Section("refreshTokens", "export_refresh_tokens", ("session_id", "generation")),
    Section("devices", "export_devices", ("_hash",)),
    Section("apiKeys", "export_api_keys", ("id",)),
    Section("links", "export_links", ("created_at", "_id")),
    Section("mails", "export_mails", ("id",)),
    Section("securityEvents", "export_events", ("created_at", "id")),
    Section("administration", "export_acts", ("created_at", "id")),
    Section("actsOnOthers", "export_acts_on_others", ("created_at", "id")),
    Section("imports", "export_imports"),
    Section("pendingCommands", "export_commands", ("created_at", "id")),
    Section("balance", "export_balance", many=False),
    Section("lots", "export_lots", ("id",)),
    Section("transactions", "export_transactions", ("sequence",)),
    Section("operations", "export_keys", ("idempotency_key",)),
    Section("refusals", "export_refusals", ("idempotency_key", "_identity")),
    Section("usage", "export_usage", ("day", "hour", "app_id", "model")),
    Section("purchases", "export_purchases", ("created_at", "id")),
    Section("stripeCustomers", "export_customers"),
    Section("topUp", "export_topup", many=False),
    Section("topUpPayments", "export_topup_payments", ("begun_at", "purchase_id")),
)


@dataclass(frozen=True)
class _Page:
    """Rows as JSON objects, and the marks of the last one."""

    objects: list[bytes]
    marks: list[object]


class Exports:
    """Makes exports, for users who have signed in within ``recent``."""

    def __init__(self, database: Database, recent: timedelta) -> None:
        self._database = database
        self._recent = recent
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

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
        """The object's text. Raises ``Refusal`` (``unauthorized``) where the user is deleted, before its first piece or
        before its last, and ``Unavailable``."""
        await self._see(user_id)
        yield b'{"exportedAt":' + _ENCODER.encode(datetime.now(UTC))
        for section in SECTIONS:
            yield b"," + _ENCODER.encode(section.name) + b":"
            async for piece in self._list(user_id, section) if section.many else self._one(user_id, section):
                yield piece
        await self._see(user_id)
        yield b"}"

    async def _see(self, user_id: UUID) -> None:
        async with self._turns, self._database.as_user(user_id) as connection:
            if await store.get(connection, user_id) is None:
                raise session_over()

    async def _one(self, user_id: UUID, section: Section) -> AsyncGenerator[bytes]:
        page = await self._read(user_id, section)
        yield page.objects[0] if page.objects else b"null"

    async def _list(self, user_id: UUID, section: Section) -> AsyncGenerator[bytes]:
        yield b"["
        page = await self._read(user_id, section, _ROWS, *[None] * len(section.marks))
        yield b",".join(page.objects)
        while section.marks and len(page.objects) == _ROWS:
            page = await self._read(user_id, section, _ROWS, *page.marks)
            yield b"".join(b"," + one for one in page.objects)
        yield b"]"

    async def _read(self, user_id: UUID, section: Section, *arguments: object) -> _Page:
        async with self._turns, self._database.as_user(user_id) as connection:
            prepared = await connection.prepare(_SQL[section.statement])
            rows = await prepared.fetch(*arguments)
            columns = [(column.name, column.type.name == "json") for column in prepared.get_attributes()]
        objects = [_object(columns, row) for row in rows]
        return _Page(objects, [rows[-1][name] for name in section.marks] if rows else [])


def _object(columns: list[tuple[str, bool]], row: Any) -> bytes:
    """Columns are named as on the wire, JSON stays the text that it is."""
    told = [(name, is_json, row[name]) for name, is_json in columns if not name.startswith("_")]
    return _ENCODER.encode(
        {
            to_camel(name): Raw(value.encode()) if is_json and value is not None else value
            for name, is_json, value in told
        }
    )
