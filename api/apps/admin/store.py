"""Apps in the database. What changes them is the database's own: the owner's functions, or those that judge who is an
administrator.

Each function works inside a transaction that its caller opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from api.apps.admin.model import Declared, KnownApp, KnownSecret, NewSecret
from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")

Hand = Literal["owner", "admin"]
"""Whose way to the rows: the owner's, or that of administrators, whom the database judges itself."""


class _Secret(msgspec.Struct, rename="camel"):
    id: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    ready: bool


_SECRETS: Final = msgspec.json.Decoder(tuple[_Secret, ...])


async def list_apps(connection: Connection, hand: Hand) -> list[KnownApp]:
    """All apps by their ids, those that are revoked too."""
    return [_app(row) for row in await connection.fetch(_SQL[f"{hand}_list_apps"], None)]


async def find_app(connection: Connection, hand: Hand, app_id: str) -> KnownApp | None:
    """One of them."""
    row = await connection.fetchrow(_SQL[f"{hand}_list_apps"], app_id)
    return None if row is None else _app(row)


class Writing:
    """What changes apps, by one hand."""

    def __init__(self, connection: Connection, hand: Hand) -> None:
        self._connection = connection
        self._hand = hand

    async def lock(self) -> None:
        """Until the transaction's end nobody else changes apps. Before anything is read that decides on a change."""
        await self._run("lock_apps")

    async def add(self, app_id: str, declared: Declared) -> None:
        """Adds an app."""
        await self._run("add_app", app_id, *_columns(declared))

    async def change(self, app_id: str, declared: Declared) -> None:
        """Makes a live app what is declared."""
        await self._run("change_app", app_id, *_columns(declared))

    async def revoke(self, app_id: str) -> None:
        """Revokes an app with all its secrets."""
        await self._run("revoke_app", app_id)

    async def add_secret(self, secret: NewSecret) -> None:
        """Gives a live app a secret; where it has two, the database refuses a third."""
        await self._run("add_app_secret", secret.app_id, secret.id, secret.hash)

    async def revoke_secret(self, app_id: str, secret_id: str) -> None:
        """Revokes one of its secrets."""
        await self._run("revoke_app_secret", app_id, secret_id)

    async def _run(self, name: str, *arguments: object) -> None:
        await self._connection.execute(_SQL[f"{self._hand}_{name}"], *arguments)


def _columns(declared: Declared) -> tuple[Any, ...]:
    return declared.name, [*declared.permissions], declared.commands_per_second, declared.unanswered_max


def _app(row: Mapping[str, Any]) -> KnownApp:
    declared = Declared(row["name"], tuple(row["permissions"]), row["commands_per_second"], row["unanswered_max"])
    secrets = tuple(
        KnownSecret(one.id, one.created_at, one.revoked_at, one.last_used_at, one.ready)
        for one in _SECRETS.decode(row["secrets"])
    )
    return KnownApp(row["id"], declared, row["created_at"], row["revoked_at"], secrets, row["broker_ready"])
