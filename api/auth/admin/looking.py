"""What administrators look at; that they did is written down in the same transaction."""

from __future__ import annotations

from uuid import UUID

from api.auth import emails
from api.auth.admin import store
from api.auth.admin.acting import not_found
from api.auth.admin.model import Administrator, EventSelection, KnownUser, RecordedEvent, WholeUser
from api.auth.model import LiveSession
from api.database import Connection, Database


class Looks:
    """Each raises ``Refusal`` (``forbidden``; ``not_found`` for a user that nobody is), and ``Unavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, by: Administrator, prefix: str, after: UUID | None, limit: int) -> list[KnownUser]:
        """Users whose address begins so, however it is written, in the order of registration."""
        key = emails.known(prefix).key
        async with store.as_administrator(self._database, by.user_id) as connection:
            found = await store.list_users(connection, key, after, limit)
            await _note(connection, by, "users")
        return found

    async def user(self, by: Administrator, user_id: UUID) -> WholeUser:
        """One user."""
        async with store.as_administrator(self._database, by.user_id) as connection:
            whole = await store.find_whole(connection, user_id)
            if whole is None:
                raise not_found()
            await _note(connection, by, "user", user_id)
        return whole

    async def sessions(self, by: Administrator, user_id: UUID) -> list[LiveSession]:
        """A user's live sessions, the newest first."""
        async with store.as_administrator(self._database, by.user_id) as connection:
            if await store.find_whole(connection, user_id) is None:
                raise not_found()
            found = await store.list_sessions(connection, user_id)
            await _note(connection, by, "sessions", user_id)
        return found

    async def events(self, by: Administrator, wanted: EventSelection) -> list[RecordedEvent]:
        """Security events, the newest first; the note of this look is not among them yet."""
        async with store.as_administrator(self._database, by.user_id) as connection:
            found = await store.list_events(connection, wanted)
            await _note(connection, by, "events", wanted.user_id)
        return found


async def _note(connection: Connection, by: Administrator, what: str, user_id: UUID | None = None) -> None:
    await store.add_act(connection, by, "admin.viewed", user_id, details={"what": what})
