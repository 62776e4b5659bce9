"""What the front may know of an app that proves itself. Each function is one statement, and sees no user's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.database import Connection
from api.sql import Statements
from contracts.apps import Permission

_SQL: Final = Statements(Path(__file__).parent / "sql")


@dataclass(frozen=True)
class KnownSecret:
    """A secret that is good, by its id; of its text only the hash is known."""

    id: str
    hash: bytes


@dataclass(frozen=True)
class RegisteredApp:
    """An app as it is registered now; none of a revoked app's secrets is good."""

    permissions: frozenset[Permission]
    revoked: bool
    secrets: Sequence[KnownSecret]


async def find_app(connection: Connection, app_id: str) -> RegisteredApp | None:
    """The registered app of that id."""
    row = await connection.fetchrow(_SQL["find_app"], app_id)
    if row is None:
        return None
    secrets = [KnownSecret(*pair) for pair in zip(row["secret_ids"] or (), row["hashes"] or (), strict=True)]
    return RegisteredApp(frozenset(row["permissions"]), row["revoked"], secrets)


async def find_permissions(connection: Connection, app_id: str, secret_id: str) -> frozenset[Permission] | None:
    """What the app may do by now; ``None`` where it or the secret is revoked, or there is neither."""
    permissions = await connection.fetchval(_SQL["find_service"], app_id, secret_id)
    return None if permissions is None else frozenset(permissions)


async def note_use(connection: Connection, secret_id: str) -> None:
    """Writes down that the secret is used now, unless that was done within the last five minutes."""
    await connection.execute(_SQL["note_use"], secret_id)
