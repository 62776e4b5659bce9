"""What administrators do to apps: one transaction for each act, which also writes it down."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from api.apps.admin import store
from api.apps.admin.changing import Changes, no_such_app
from api.apps.admin.declared import ChangedAppBody, NewAppBody
from api.apps.admin.model import KnownApp, NewSecret
from api.apps.admin.readiness import await_broker
from api.apps.admin.store import Writing
from api.auth import standing
from api.auth.admin.model import Administrator
from api.auth.admin.store import add_act, as_administrator
from api.auth.model import EventType
from api.auth.recent import require_recent
from api.auth.sessions import not_signed_in_any_more
from api.auth.store import is_session_live
from api.database import Connection, Database

_BROKER_SECONDS: Final = 3.0


@dataclass(frozen=True)
class HandedOut:
    """A new secret, and whether the broker knows its login already."""

    secret: NewSecret
    ready: bool


class AppActs:
    """Each raises ``Refusal`` (``unauthorized``, ``forbidden``), and ``Unavailable``.

    ``recent`` is how lately an administrator must have signed in to hand out a secret, or to change what an app may do.
    To take something away, no sign-in is needed.
    """

    def __init__(self, database: Database, recent: timedelta) -> None:
        self._database = database
        self._recent = recent

    async def every(self, by: Administrator) -> list[KnownApp]:
        """All apps, those that are revoked too."""
        async with as_administrator(self._database, by.user_id) as connection:
            await self._look(connection, by, {"what": "apps"})
            return await store.list_apps(connection, "admin")

    async def one(self, by: Administrator, app_id: str) -> KnownApp:
        """One app. Raises besides ``not_found``; so do all that follow."""
        async with as_administrator(self._database, by.user_id) as connection:
            await self._look(connection, by, {"what": "app", "app": app_id})
            return await _found(connection, app_id)

    async def create(self, by: Administrator, body: NewAppBody) -> tuple[KnownApp, HandedOut]:
        """A new app with its first secret. Raises ``invalid_request`` for an id that an app has, or had."""
        async with self._changing(by, recent=True) as changes:
            secret = await changes.create(body.id, body.declared())
        app = await self._settled(by, body.id)
        return app, HandedOut(secret, app.broker_ready)

    async def change(self, by: Administrator, app_id: str, body: ChangedAppBody) -> KnownApp:
        """Changes a live app."""
        async with self._changing(by, recent=True) as changes:
            await changes.change(app_id, body.declared)
        return await self._settled(by, app_id)

    async def revoke(self, by: Administrator, app_id: str) -> bool:
        """Ends an app for ever, with its secrets and connections; whether the broker has done so by now."""
        async with self._changing(by) as changes:
            await changes.revoke(app_id)
        return (await self._settled(by, app_id)).broker_ready

    async def add_secret(self, by: Administrator, app_id: str) -> HandedOut:
        """Another secret of a live app."""
        async with self._changing(by, recent=True) as changes:
            secret = await changes.add_secret(app_id)
        return HandedOut(secret, (await self._settled(by, app_id)).broker_ready)

    async def revoke_secret(self, by: Administrator, app_id: str, secret_id: str) -> bool:
        """Ends a secret and the connections that it opened; whether the broker has done so by now."""
        async with self._changing(by) as changes:
            await changes.revoke_secret(app_id, secret_id)
        return (await self._settled(by, app_id)).broker_ready

    async def _settled(self, by: Administrator, app_id: str) -> KnownApp:
        """The app, once the broker is as it says, or a little later."""

        async def look() -> KnownApp:
            async with as_administrator(self._database, by.user_id) as connection:
                return await _found(connection, app_id)

        return await await_broker(look, _BROKER_SECONDS)

    async def _look(self, connection: Connection, by: Administrator, told: Mapping[str, Any]) -> None:
        """Writes down that somebody looked; first of all, for it is what judges who is an administrator."""
        await add_act(connection, by, "admin.viewed", None, details=told)

    @asynccontextmanager
    async def _changing(self, by: Administrator, *, recent: bool = False) -> AsyncGenerator[Changes]:
        """A transaction in which no other changes apps, of an administrator who is signed in still: whoever was shut
        out while waiting for the lock does nothing any more."""
        async with as_administrator(self._database, by.user_id) as connection:
            await Writing(connection, "admin").lock()
            await standing.enter(connection, by.user_id)
            if recent:
                await require_recent(connection, by.session_id, self._recent)
            elif not await is_session_live(connection, by.session_id, by.user_id):
                raise not_signed_in_any_more()

            async def note(event: EventType, details: Mapping[str, Any]) -> None:
                await add_act(connection, by, event, None, details=details)

            yield Changes(connection, "admin", note)


async def _found(connection: Connection, app_id: str) -> KnownApp:
    app = await store.find_app(connection, "admin", app_id)
    if app is None:
        raise no_such_app()
    return app
