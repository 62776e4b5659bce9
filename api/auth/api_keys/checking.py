"""Whether a key is good: the database is asked each time, so that its end is felt with the commit that made it."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.auth.api_keys import store
from api.auth.api_keys.store import Scope
from api.auth.api_keys.text import KeyText
from api.database import Database


@dataclass(frozen=True)
class ApiKey:
    """A key that somebody has shown, whose it is and what it is good for."""

    id: str
    user_id: UUID
    scopes: Sequence[Scope]
    created_at: datetime
    expires_at: datetime | None


class ApiKeys:
    """Looks at keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, text: str) -> ApiKey | None:
        """The key, if it is good. Raises ``Unavailable``."""
        found = await self._find(text)
        return None if found is None else found[0]

    async def use(self, text: str) -> ApiKey | None:
        """The same for whoever shows it to do something: its user is told when that was last."""
        found = await self._find(text)
        if found is None:
            return None
        key, noted = found
        if not noted:
            async with self._database.as_user(key.user_id) as connection:
                await store.note_use(connection, key.id)
        return key

    async def _find(self, text: str) -> tuple[ApiKey, bool] | None:
        """With the key, whether a use of it was written down a moment ago."""
        shown = KeyText.parse(text)
        if shown is None:
            return None
        async with self._database.statement() as connection:
            stored = await store.find(connection, shown.id)
        if stored is None or not hmac.compare_digest(stored.hash, shown.hash):
            return None
        key = ApiKey(shown.id, stored.user_id, stored.scopes, stored.created_at, stored.expires_at)
        return key, stored.noted
