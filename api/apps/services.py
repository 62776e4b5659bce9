"""Apps that show an access token of theirs: what they may do by now, whatever they might when it was given.

What the database said is remembered until it announces that apps have changed, whichever it is of; while its
announcements cannot be heard, it is asked for each request. What was asked before an announcement was heard is not
remembered after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.apps import client_store
from api.auth.tokens import ServiceClaims
from api.database import Connection, Database
from api.lru import LeastRecentlyUsed
from api.patience import told_soon
from contracts.apps import CHANGES_CHANNEL, App, Permission

_SECONDS_MAX: Final = 1.0
"""So long a request waits for whether its app is still good."""
_REMEMBERED_MAX: Final = 1_000

Permissions = frozenset[Permission]


@dataclass(frozen=True)
class Service:
    """An app that has proven itself. Its permissions are those of its token that the app still has."""

    app: App


class Services:
    """Hears what ``Announcements`` are told of apps."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: LeastRecentlyUsed[tuple[str, str], Permissions] = LeastRecentlyUsed(_REMEMBERED_MAX)
        self._heard = 0
        self._current = False

    @property
    def channel(self) -> str:
        """Where changes are announced."""
        return CHANGES_CHANNEL

    async def find(self, claims: ServiceClaims) -> Service | None:
        """Who shows the token; ``None`` where the app, or the secret that it was given for, is revoked.

        Raises ``Unavailable``, in bounded time.
        """
        which = (claims.sub, claims.sid)
        permissions = self._remembered.get(which) if self._current else None
        if permissions is None:
            permissions = await self._ask(which)
        if permissions is None:
            return None
        given = claims.scope.split(" ")
        return Service(App(claims.sub, frozenset(each for each in permissions if each in given)))

    async def catch_up(self, connection: Connection) -> None:
        """From now on every change is heard: what is asked from now on may be remembered."""
        self._forget()
        self._current = True

    def hear(self, payload: str) -> None:
        """Some app has changed."""
        self._forget()

    def fall_deaf(self) -> None:
        """Remembers nothing until it has caught up."""
        self._current = False

    async def _ask(self, which: tuple[str, str]) -> Permissions | None:
        heard = self._heard
        complaint = "the database does not say whether the app is still good"
        permissions = await told_soon(self._stored(which), _SECONDS_MAX, complaint)
        if permissions is not None and self._current and heard == self._heard:
            self._remembered.put(which, permissions)
        return permissions

    async def _stored(self, which: tuple[str, str]) -> Permissions | None:
        async with self._database.statement() as connection:
            return await client_store.find_permissions(connection, *which)

    def _forget(self) -> None:
        self._heard += 1
        self._remembered.clear()
