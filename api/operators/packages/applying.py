"""The packages that are declared into the database, as its owner: all in one transaction, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from api.auth.model import NOWHERE, EventType, SecurityEvent
from api.auth.store import add_event
from api.credits.packages.differing import Change, details, differ
from api.credits.packages.store import columns, list_packages
from api.credits.views import Package
from api.database import Connection, Database
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


async def apply(database: Database, declared: Sequence[Package], *, dry_run: bool = False) -> list[Change]:
    """What it changed, or would; each change is a security event. Raises ``Unavailable``."""
    async with database.transaction() as connection:
        if not dry_run:
            await connection.execute(_SQL["lock_packages"])
        changes = differ(await list_packages(connection, retired=True), declared)
        if not dry_run:
            by_id = {package.id: package for package in declared}
            for change in changes:
                await _do(connection, change, by_id.get(change.id))
    return changes


async def _do(connection: Connection, change: Change, package: Package | None) -> None:
    if change.kind == "unchanged":
        return
    event: EventType = "package.declared"
    if package is None:
        event = "package.retired"
        await connection.execute(_SQL["retire_package"], change.id)
    else:
        await connection.execute(_SQL["put_package"], *columns(package))
    for told in details(change):
        await add_event(connection, SecurityEvent(event, NOWHERE, details={"by": "operator", **told}))
