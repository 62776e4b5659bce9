"""Users make keys and revoke them; who holds a key can do neither."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from api.auth import standing
from api.auth import store as auth
from api.auth.api_keys import store
from api.auth.api_keys.store import ListedKey, Scope
from api.auth.api_keys.text import KeyText
from api.auth.model import Client, EventType, SecurityEvent
from api.auth.recent import require_recent
from api.auth.sessions import not_signed_in_any_more
from api.auth.tokens import Claims
from api.clock import Clock
from api.database import Database
from api.errors import refuse, refuse_field

LIVE_MAX: Final = 25
"""Keys of one user that are good at the same time."""
LIFE_MAX: Final = timedelta(days=365)


class KeyKeeping:
    """Keys of users who, to make one, have signed in within ``recent``."""

    def __init__(self, database: Database, clock: Clock, recent: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._recent = recent

    async def list(self, claims: Claims) -> list[ListedKey]:
        """The user's keys that are not revoked, the newest first."""
        async with self._database.as_user(claims.user_id) as connection:
            return await store.list_keys(connection, claims.user_id)

    async def make(
        self, claims: Claims, client: Client, *, name: str, scopes: Sequence[Scope], until: datetime | None
    ) -> tuple[ListedKey, str]:
        """A new key, and its text, which nobody can tell again.

        Raises ``Refusal`` (``invalid_request`` for an end that is not within a year, ``forbidden`` without a recent
        sign-in and beyond ``LIVE_MAX``), and ``Unavailable``.
        """
        if until is not None:
            self._check_end(until)
        key = KeyText.new()
        async with self._database.as_user(claims.user_id) as connection:
            if await standing.seize(connection, claims.user_id) is None:
                raise not_signed_in_any_more()
            await require_recent(connection, claims.session_id, self._recent)
            if await store.count_live(connection, claims.user_id) >= LIVE_MAX:
                raise refuse("forbidden", f"{LIVE_MAX} keys are good: revoke one of them first", {"max": LIVE_MAX})
            made = await store.add(connection, claims.user_id, key, name=name, scopes=scopes, until=until)
            event = _event("api_key.created", claims, client, keyId=key.id, scopes=list(scopes))
            await auth.add_event(connection, event)
        return made, key.text

    async def revoke(self, claims: Claims, key_id: str, client: Client) -> None:
        """Ends one of the user's keys; it is refused from the commit on.

        Raises ``Refusal``: ``not_found`` for any other, whosever it is; ``unauthorized`` where the caller's own session
        has ended meanwhile.
        """
        async with self._database.as_user(claims.user_id) as connection:
            await standing.enter(connection, claims.user_id)
            if not await auth.is_session_live(connection, claims.session_id, claims.user_id):
                raise not_signed_in_any_more()
            if not await store.revoke(connection, claims.user_id, key_id):
                raise refuse("not_found", "there is no such key of yours")
            await auth.add_event(connection, _event("api_key.revoked", claims, client, keyId=key_id))

    def _check_end(self, until: datetime) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        if not now < until <= now + LIFE_MAX:
            raise refuse_field("expiresAt", f"must be in the future, and within {LIFE_MAX.days} days")


def _event(kind: EventType, claims: Claims, client: Client, **details: object) -> SecurityEvent:
    return SecurityEvent(kind, client, claims.user_id, claims.session_id, details=details)
