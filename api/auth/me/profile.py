"""What users see and change of themselves."""

from __future__ import annotations

from api.auth import standing
from api.auth import store as auth
from api.auth.me import store
from api.auth.me.store import Profile
from api.auth.sessions import session_over
from api.auth.tokens import Claims
from api.database import Database


class Profiles:
    """Reads and changes profiles. Methods raise ``Refusal`` (``unauthorized``) for a session that is over, and
    ``Unavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, claims: Claims) -> Profile:
        """The user as the user sees it."""
        async with self._database.as_user(claims.user_id) as connection:
            profile = await store.get(connection, claims.user_id)
        if profile is None:
            raise session_over()
        return profile

    async def rename(self, claims: Claims, name: str | None) -> Profile:
        """Changes the name, or clears it."""
        async with self._database.as_user(claims.user_id) as connection:
            await standing.enter(connection, claims.user_id)
            if not await auth.is_session_live(connection, claims.session_id, claims.user_id):
                raise session_over()
            await store.rename(connection, claims.user_id, name)
            profile = await store.get(connection, claims.user_id)
        if profile is None:
            raise session_over()
        return profile
