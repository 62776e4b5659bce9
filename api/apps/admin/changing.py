"""What may be done to apps, whoever does it: judged under the lock, and written down with what was done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from api.apps.admin import store
from api.apps.admin.minting import mint
from api.apps.admin.model import Declared, KnownApp, NewSecret
from api.apps.admin.store import Hand, Writing
from api.auth.model import EventType
from api.database import Connection
from api.errors import Refusal, refuse, refuse_field
from contracts.apps import SECRETS_MAX

Note = Callable[[EventType, Mapping[str, Any]], Awaitable[None]]
"""Writes down a security event with its details."""

_ON_THE_WIRE: Final = {
    "name": "name",
    "permissions": "permissions",
    "commands_per_second": "commandsPerSecond",
    "unanswered_max": "unansweredMax",
}


class Changes:
    """Inside one transaction that holds the lock. Each raises ``Refusal`` (``not_found``, ``invalid_request``)."""

    def __init__(self, connection: Connection, hand: Hand, note: Note) -> None:
        self._connection = connection
        self._hand: Hand = hand
        self._writing = Writing(connection, hand)
        self._note = note

    async def create(self, app_id: str, declared: Declared) -> NewSecret:
        """A new app, with its first secret."""
        if await store.find_app(self._connection, self._hand, app_id) is not None:
            raise refuse_field("id", "is taken: an app's id is never used twice")
        await self._writing.add(app_id, declared)
        await self._note("app.created", {"app": app_id, **_told(declared)})
        return await self._add_secret(app_id)

    async def change(self, app_id: str, changed: Callable[[Declared], Declared]) -> None:
        """Makes a live app what ``changed`` makes of it; what changes nothing is not written down."""
        app = await self._live(app_id)
        old, new = app.declared, changed(app.declared)
        if new == old:
            return
        await self._writing.change(app_id, new)
        before, after = _told(old), _told(new)
        differing = [name for name in after if before[name] != after[name]]
        told = {"old": {name: before[name] for name in differing}, "new": {name: after[name] for name in differing}}
        await self._note("app.changed", {"app": app_id, **told})

    async def revoke(self, app_id: str) -> None:
        """Revokes an app and its secrets, for ever. A second time changes nothing."""
        app = await self._known(app_id)
        if app.revoked_at is None:
            await self._writing.revoke(app_id)
            await self._note("app.revoked", {"app": app_id, "secrets": [secret.id for secret in app.live_secrets]})

    async def add_secret(self, app_id: str) -> NewSecret:
        """A second secret, or again a first."""
        app = await self._live(app_id)
        if len(app.live_secrets) >= SECRETS_MAX:
            raise refuse_field("secrets", "the app has two already: revoke one first")
        return await self._add_secret(app_id)

    async def revoke_secret(self, app_id: str, secret_id: str) -> None:
        """Revokes a secret. A second time changes nothing."""
        app = await self._known(app_id)
        if secret_id not in {secret.id for secret in app.secrets}:
            raise refuse("not_found", "the app has no such secret")
        if any(secret.id == secret_id for secret in app.live_secrets):
            await self._writing.revoke_secret(app_id, secret_id)
            await self._note("app.secret_revoked", {"app": app_id, "secret": secret_id})

    async def _add_secret(self, app_id: str) -> NewSecret:
        secret = mint(app_id)
        await self._writing.add_secret(secret)
        await self._note("app.secret_added", {"app": app_id, "secret": secret.id})
        return secret

    async def _known(self, app_id: str) -> KnownApp:
        app = await store.find_app(self._connection, self._hand, app_id)
        if app is None:
            raise no_such_app()
        return app

    async def _live(self, app_id: str) -> KnownApp:
        app = await self._known(app_id)
        if app.revoked_at is not None:
            raise refuse_field("id", "is of an app that is revoked, for ever")
        return app


def no_such_app() -> Refusal:
    """The answer for an id that no app has."""
    return refuse("not_found", "there is no such app")


def _told(declared: Declared) -> dict[str, Any]:
    return {wire: getattr(declared, name) for name, wire in _ON_THE_WIRE.items()}
