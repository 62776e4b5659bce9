"""What administrators do to packages: one transaction for each act, which also writes it down."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from api.auth import standing
from api.auth.admin.model import Administrator
from api.auth.admin.store import add_act, as_administrator
from api.auth.model import EventType
from api.auth.sessions import not_signed_in_any_more
from api.auth.store import is_session_live
from api.credits.packages import store
from api.credits.packages.declared import SORT_ORDER_MAX, PackageBody
from api.credits.packages.differing import Change, Kind, compare, details, retired
from api.credits.views import Package
from api.database import Connection, Database
from api.errors import refuse


class PackageActs:
    """Each raises ``Refusal`` (``unauthorized``, ``forbidden``), and ``Unavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self, by: Administrator) -> list[Package]:
        """All packages, those that are retired too, in the order in which they are shown."""
        async with as_administrator(self._database, by.user_id) as connection:
            found = await store.list_packages(connection, retired=True)
            await add_act(connection, by, "admin.viewed", None, details={"what": "packages"})
        return found

    async def declare(self, by: Administrator, package_id: str, body: PackageBody) -> tuple[Package, Kind]:
        """Makes the package what is declared, and what it was before that."""
        async with self._changing(by) as (connection, known):
            old = known.get(package_id)
            new = body.package(package_id, _place_of(old, known))
            change = compare(old, new)
            if change.kind != "unchanged":
                await store.put(connection, new)
                await _note(connection, by, "package.declared", change)
        return new, change.kind

    async def retire(self, by: Administrator, package_id: str) -> None:
        """Takes a package out of what can be bought, once. Raises besides ``not_found``."""
        async with self._changing(by) as (connection, known):
            old = known.get(package_id)
            if old is None:
                raise refuse("not_found", "there is no such package")
            if old.active:
                await store.retire(connection, package_id)
                await _note(connection, by, "package.retired", compare(old, retired(old)))

    @asynccontextmanager
    async def _changing(self, by: Administrator) -> AsyncGenerator[tuple[Connection, dict[str, Package]]]:
        """A transaction in which no other changes packages, of an administrator who is signed in still: whoever was
        shut out while waiting for the lock does nothing any more."""
        async with as_administrator(self._database, by.user_id) as connection:
            await store.lock(connection)
            await standing.enter(connection, by.user_id)
            if not await is_session_live(connection, by.session_id, by.user_id):
                raise not_signed_in_any_more()
            yield connection, {package.id: package for package in await store.list_packages(connection, retired=True)}


def _place_of(old: Package | None, known: dict[str, Package]) -> int:
    """Where it was, or behind all others."""
    if old is not None:
        return old.sort_order
    return min(max((package.sort_order for package in known.values()), default=0) + 1, SORT_ORDER_MAX)


async def _note(connection: Connection, by: Administrator, event: EventType, change: Change) -> None:
    for told in details(change):
        await add_act(connection, by, event, None, details=told)
