"""The rows of apps and their secrets. Every method raises a ``Fault`` where the database cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from workers.apps.model import KeptApp, Secret
from workers.ledger.store.reopening import Reopening
from workers.ledger.store.statements import statement

SCHEMA_NEEDED: Final = 35
"""The last migration that this room's statements were written with."""
_statement = partial(statement, folder=Path(__file__).parent / "sql")

_LIST_APPS: Final = _statement("list_apps")
_NOTE_MADE: Final = _statement("note_made")
_NOTE_GONE: Final = _statement("note_gone")
_NOTE_USED: Final = _statement("note_used")


class AppsStore:
    """On one connection, which is made again after a loss."""

    def __init__(self, url: str, *, application_name: str) -> None:
        self._rows = Reopening(url, application_name=application_name)

    async def list_apps(self) -> list[KeptApp]:
        """All apps, with all secrets."""
        rows = await self._rows.fetch(_LIST_APPS)
        return [_app(list(of_app)) for _, of_app in groupby(rows, key=lambda row: row["id"])]

    async def note_made(self, secret_id: str, version: int) -> None:
        """The login is that of this version of its app."""
        await self._rows.fetch(_NOTE_MADE, secret_id, version)

    async def note_gone(self, secret_id: str) -> None:
        """The login of a revoked secret is gone, and so are its connections."""
        await self._rows.fetch(_NOTE_GONE, secret_id)

    async def note_used(self, secret_ids: Sequence[str]) -> None:
        """Somebody is logged in by these now."""
        await self._rows.fetch(_NOTE_USED, secret_ids)

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        await self._rows.close()


def _app(rows: Sequence[Mapping[str, Any]]) -> KeptApp:
    first = rows[0]
    return KeptApp(
        id=first["id"],
        permissions=frozenset(first["permissions"]),
        revoked=first["revoked"],
        secrets=tuple(_secret(row) for row in rows if row["secret_id"] is not None),
    )


def _secret(row: Mapping[str, Any]) -> Secret:
    return Secret(
        id=row["secret_id"],
        hash=row["hash"],
        version=row["version"],
        made_version=row["made_version"],
        gone=row["gone"],
        paused_s=row["paused_s"],
    )
