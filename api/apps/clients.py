"""Apps prove themselves by an id and a secret: all refusals are alike, and an auditor finds each of them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from api.apps import client_store
from api.apps.oauth import ClientCredentials, not_this_client
from api.apps.secret_check import matching_secret
from api.auth import store
from api.auth.model import Client, SecurityEvent
from api.auth.sealing import derive
from api.clock import Clock
from api.database import Database
from api.lru import LeastRecentlyUsed
from contracts.apps import App

_NOBODY: Final = UUID(int=0)
_NOTED_SECONDS: Final = 60.0
"""So long this process does not even ask the database again to write a use down."""
_NOTED_MAX: Final = 1_000


@dataclass(frozen=True)
class ProvenApp:
    """An app, and the id of the secret that it has shown."""

    app: App
    secret_id: str


class Clients:
    """Looks at what apps show of themselves."""

    def __init__(self, database: Database, secret: bytes, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._noted: LeastRecentlyUsed[str, float] = LeastRecentlyUsed(_NOTED_MAX)
        self._subject_key = derive(secret, b"mana: ids of apps in security events")

    async def prove(self, shown: ClientCredentials, client: Client) -> ProvenApp:
        """Who it is. Raises ``Answered`` (``invalid_client``), and ``Unavailable``."""
        async with self._database.statement() as connection:
            known = await client_store.find_app(connection, shown.app_id)
        secret_id = matching_secret(shown.secret, () if known is None else known.secrets)
        if known is None or secret_id is None:
            await self._note_refusal(shown.app_id, known is not None, client)
            raise not_this_client()
        await self._note_use(secret_id)
        return ProvenApp(App(shown.app_id, known.permissions), secret_id)

    async def _note_use(self, secret_id: str) -> None:
        noted = self._noted.get(secret_id)
        if noted is not None and self._clock() - noted < _NOTED_SECONDS:
            return
        async with self._database.statement() as connection:
            await client_store.note_use(connection, secret_id)
        self._noted.put(secret_id, self._clock())

    async def _note_refusal(self, app_id: str, registered: bool, client: Client) -> None:
        """An id that no app has is kept as a keyed hash only: it may be a secret in the wrong place."""
        subject = hmac.digest(self._subject_key, app_id.encode(), hashlib.sha256)
        details = {"appId": app_id} if registered else None
        event = SecurityEvent("app.refused", client, subject_hash=subject, details=details)
        async with self._database.as_user(_NOBODY) as connection:
            await store.add_event(connection, event)
