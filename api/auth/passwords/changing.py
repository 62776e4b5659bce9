"""A user who is signed in replaces the password by another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from api.auth import emails, standing
from api.auth import store as auth
from api.auth.api_keys.ending import end_keys
from api.auth.ended_sessions import EndedSessions
from api.auth.ending import end_sessions
from api.auth.hashing import Hasher, normalised
from api.auth.mail_links import store as links
from api.auth.mail_links.asking import tell
from api.auth.model import Client, SecurityEvent
from api.auth.passwords import store
from api.auth.passwords.store import Known
from api.auth.passwords.strength import weakness
from api.auth.recent import renew
from api.auth.sessions import session_over
from api.auth.tokens import Claims
from api.database import Connection, Database
from api.errors import refuse, refuse_field
from api.throttle.attempts import Attempts, Reservation


@dataclass(frozen=True)
class NewPassword:
    """The password that is to be, and what proves that its user wants it."""

    current: str
    new: str


class _Refused(Enum):
    WRONG = "wrong"
    OVER = "over"


class PasswordChange:
    """Changes passwords; ``site`` is what the service is called."""

    def __init__(
        self, database: Database, hasher: Hasher, attempts: Attempts, ended: EndedSessions, *, site: str
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._attempts = attempts
        self._ended = ended
        self._site = site

    async def change(self, claims: Claims, password: NewPassword, client: Client) -> None:
        """The new password is in force, all sessions but this one have ended, and all keys of the user's scripts.

        Raises ``Refusal`` (``forbidden`` for a wrong current password, ``invalid_request`` for a weak new one
        and for the same, ``unauthorized`` where the session is over, ``rate_limited``), and ``Unavailable``.
        """
        async with self._database.as_user(claims.user_id) as connection:
            known = await store.find(connection, claims.user_id)
        if known is None:
            raise session_over()
        if wrong := weakness(password.new, emails.known(known.email), known.name, self._site):
            raise refuse_field("newPassword", wrong)
        if normalised(password.new) == normalised(password.current):
            raise refuse_field("newPassword", "is the current one: choose another")
        attempt = await self._attempts.reserve_as_user(claims.user_id)
        new_hash = await self._hash_if_right(password, known, claims, attempt)
        async with self._database.as_user(claims.user_id) as connection:
            outcome = await self._replace(connection, claims, known, new_hash, client)
        if outcome is _Refused.WRONG:
            raise refuse("forbidden", "the current password is wrong")
        if outcome is _Refused.OVER:
            raise session_over()
        self._ended.add_all(outcome)
        await attempt.succeeded()

    async def _hash_if_right(
        self, password: NewPassword, known: Known, claims: Claims, attempt: Reservation
    ) -> str | None:
        """The new password's hash, where the current one is right."""
        async with attempt.looked_at():
            right = await self._hasher.verify(password.current, known.hash, claims.sub.encode())
            return await self._hasher.hash(password.new) if right else None

    async def _replace(
        self, connection: Connection, claims: Claims, known: Known, new_hash: str | None, client: Client
    ) -> list[UUID] | _Refused:
        """The sessions that ended; without a hash the failure is noted."""
        user_id = claims.user_id
        now = await standing.seize(connection, user_id)
        if now is None or now.banned or not await auth.is_session_live(connection, claims.session_id, user_id):
            return _Refused.OVER
        if new_hash is None or now.epoch != known.epoch:
            await auth.add_event(connection, SecurityEvent("sign_in.failed", client, user_id, claims.session_id))
            return _Refused.WRONG
        await store.put(connection, user_id, new_hash)
        ended = await end_sessions(connection, user_id, "password", but=claims.session_id)
        await renew(connection, claims.session_id)
        await links.void_others(connection, user_id, None)
        await standing.bump(connection, user_id)
        event = SecurityEvent("password.changed", client, user_id, claims.session_id)
        await auth.add_event(connection, event)
        await end_keys(connection, user_id, event)
        await tell(connection, "password_changed", now.user)
        return ended
