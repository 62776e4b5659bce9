"""Sessions go on by refresh, end by logout, and are looked at whenever somebody must be sure that they live."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from api.auth import standing, store
from api.auth.api_keys.ending import end_keys
from api.auth.ended_sessions import EndedSessions
from api.auth.ending import end_sessions
from api.auth.model import Client, Lifetimes, PresentedToken, SecurityEvent, User
from api.auth.refresh_tokens import Meaning, RefreshToken, judge
from api.auth.starting import Grant, Started, grant
from api.auth.tokens import Claims, Tokens
from api.database import Connection, Database
from api.errors import BAD_TOKEN, Refusal, refuse
from api.patience import told_soon
from contracts.errors import Error

LIVENESS_SECONDS_MAX: Final = 1.0
"""So long a request waits for whether its session lives: its own deadline has only begun by then."""


def not_refreshed() -> Refusal:
    """The one answer to unknown, expired, reused and ended alike."""
    return refuse("unauthorized", "the refresh token is not valid")


def not_signed_in_any_more() -> Refusal:
    """To who acts in a session that has ended meanwhile."""
    return Refusal(Error("unauthorized", "the session has ended"), BAD_TOKEN)


def session_over() -> Refusal:
    """To who would prove or change something in a session that is over."""
    return refuse("unauthorized", "the session is over: sign in again")


class Sessions:
    """Keeps sessions going, and ends them."""

    def __init__(self, database: Database, tokens: Tokens, ended: EndedSessions, lifetimes: Lifetimes) -> None:
        self._database = database
        self._tokens = tokens
        self._ended = ended
        self._lifetimes = lifetimes

    async def refresh(self, text: str, client: Client) -> Grant:
        """Spends a refresh token for the next pair. Raises ``Refusal`` (``unauthorized``), and ``Unavailable``."""
        token = RefreshToken.parse(text)
        continued = None if token is None else await self._refresh(token, client)
        if continued is None:
            raise not_refreshed()
        return await grant(self._tokens, continued)

    async def end(self, claims: Claims, client: Client) -> None:
        """Logs the session out, in this process at once and in every other within moments."""
        async with self._database.as_user(claims.user_id) as connection:
            await standing.enter(connection, claims.user_id)
            if await store.end_session(connection, claims.session_id, "logout"):
                event = SecurityEvent("session.ended", client, claims.user_id, claims.session_id)
                await store.add_event(connection, event)
        self._ended.add(claims.session_id)

    async def end_all(self, claims: Claims, client: Client) -> None:
        """Logs the user out everywhere, and ends the keys of scripts; a sign-in that is under way starts no session any
        more.

        Raises ``Refusal`` (``unauthorized``) where the caller's own session ended while this waited for its turn.
        """
        async with self._database.as_user(claims.user_id) as connection:
            now = await standing.seize(connection, claims.user_id)
            if now is None or not await store.is_session_live(connection, claims.session_id, claims.user_id):
                raise not_signed_in_any_more()
            ended = await end_sessions(connection, claims.user_id, "logout")
            await standing.bump(connection, claims.user_id)
            event = SecurityEvent("session.all_ended", client, claims.user_id, claims.session_id)
            await store.add_event(connection, event)
            await end_keys(connection, claims.user_id, event)
        self._ended.add_all(ended)

    async def end_listed(self, claims: Claims, session_id: UUID, client: Client) -> None:
        """Ends one of the user's sessions, which may be the caller's own.

        Raises ``Refusal``: ``not_found`` for any other, whosever it is and whether it was there once; ``unauthorized``
        as above.
        """
        async with self._database.as_user(claims.user_id) as connection:
            await standing.seize(connection, claims.user_id)
            if not await store.is_session_live(connection, claims.session_id, claims.user_id):
                raise not_signed_in_any_more()
            if not await store.end_session(connection, session_id, "revoked"):
                raise refuse("not_found", "there is no such session of yours")
            event = SecurityEvent("session.listed_end", client, claims.user_id, session_id)
            await store.add_event(connection, event)
        self._ended.add(session_id)

    async def is_live(self, claims: Claims) -> bool:
        """Whether the token's session lives, by memory where the announcements are heard, else by the database.

        Raises ``Unavailable``, in bounded time.
        """
        ended = self._ended.has_ended(claims.session_id)
        if ended is not None:
            return not ended
        complaint = "the database does not say whether the session lives"
        live = await told_soon(self.is_stored_live(claims), LIVENESS_SECONDS_MAX, complaint)
        if not live:
            self._ended.add(claims.session_id)
        return live

    async def is_stored_live(self, claims: Claims) -> bool:
        """Whether the session lives, by the database itself."""
        async with self._database.statement() as connection:
            return await store.is_session_live(connection, claims.session_id, claims.user_id)

    async def _refresh(self, token: RefreshToken, client: Client) -> Started | None:
        """What the database decides is committed before anybody is refused: a revocation must not be rolled back."""
        async with self._database.statement() as connection:
            owner = await store.find_refresh_token_owner(connection, token.hash)
        if owner is None:
            return None
        async with self._database.as_user(owner) as connection:
            now = await standing.enter(connection, owner)
            if now is None or now.banned:
                return None
            presented = await store.lock_presented_token(connection, token.hash)
            if presented is None:
                return None
            successor = await self._successor(connection, token, presented, now.user, client)
        if successor is None:
            return None
        return Started(now.user, presented.session_id, successor, presented.session_expires_at)

    async def _successor(
        self, connection: Connection, token: RefreshToken, presented: PresentedToken, user: User, client: Client
    ) -> RefreshToken | None:
        session_id = presented.session_id
        match judge(presented, self._lifetimes.grace):
            case Meaning.CURRENT:
                return await self._rotate(connection, session_id, token)
            case Meaning.LOST_ANSWER:
                await store.add_event(connection, SecurityEvent("refresh.retried", client, user.id, session_id))
                return token.unseal(presented.sealed_successor or b"")
            case Meaning.REUSED:
                await store.end_session(connection, session_id, "reuse")
                await store.add_event(connection, SecurityEvent("refresh.reused", client, user.id, session_id))
                return None
            case Meaning.EXPIRED:
                return None

    async def _rotate(self, connection: Connection, session_id: UUID, spent: RefreshToken) -> RefreshToken:
        successor = RefreshToken.new()
        await store.rotate(
            connection,
            session_id,
            spent=spent.hash,
            successor=successor.hash,
            sealed=spent.seal(successor),
            lifetimes=self._lifetimes,
        )
        return successor
