"""Sessions go on by refresh, end by logout, and are looked at whenever somebody must be sure that they live."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from api.auth import store
from api.auth.ended_sessions import EndedSessions
from api.auth.model import Client, Lifetimes, PresentedToken, SecurityEvent, User
from api.auth.refresh_tokens import GRACE, Meaning, RefreshToken, judge
from api.auth.sign_in import Grant
from api.auth.tokens import Claims, Tokens
from api.database import Connection, Database
from api.errors import Refusal, Unavailable, refuse

LIVENESS_SECONDS_MAX: Final = 1.0
"""So long a request waits for whether its session lives: its own deadline has only begun by then."""


@dataclass(frozen=True)
class _Continued:
    """A session that goes on, with its newest refresh token."""

    user: User
    session_id: UUID
    token: RefreshToken


def not_refreshed() -> Refusal:
    """The one answer to unknown, expired, reused and ended alike."""
    return refuse("unauthorized", "the refresh token is not valid")


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
        user = continued.user
        access_token = await self._tokens.issue(user.id, user.email, user.role, continued.session_id)
        return Grant(user, access_token, continued.token.text, self._tokens.life_seconds)

    async def end(self, claims: Claims, client: Client) -> None:
        """Logs the session out, in this process at once and in every other within moments."""
        async with self._database.as_user(claims.user_id) as connection:
            if await store.end_session(connection, claims.session_id, "logout"):
                event = SecurityEvent("session.ended", client, claims.user_id, claims.session_id)
                await store.add_event(connection, event)
        self._ended.add(claims.session_id)

    async def is_live(self, claims: Claims) -> bool:
        """Whether the token's session lives, by memory where the announcements are heard, else by the database.

        Raises ``Unavailable``, in bounded time.
        """
        ended = self._ended.has_ended(claims.session_id)
        return await self._is_surely_live(claims) if ended is None else not ended

    async def _is_surely_live(self, claims: Claims) -> bool:
        """The statement itself is left to end: a driver that is cancelled may take as long to let go."""
        asking = asyncio.create_task(self._told_live(claims))
        await asyncio.wait({asking}, timeout=LIVENESS_SECONDS_MAX)
        live = asking.result() if asking.done() else None
        if live is None:
            raise Unavailable("postgresql", "the database does not say whether the session lives")
        return live

    async def _told_live(self, claims: Claims) -> bool | None:
        """``None`` where nobody can tell. Raises no ``Unavailable``: it may be that nobody waits for it any more."""
        try:
            return await self.is_stored_live(claims)
        except Unavailable:
            return None

    async def is_stored_live(self, claims: Claims) -> bool:
        """Whether the session lives, by the database itself."""
        async with self._database.as_user(claims.user_id) as connection:
            return await store.is_session_live(connection, claims.session_id)

    async def _refresh(self, token: RefreshToken, client: Client) -> _Continued | None:
        """What the database decides is committed before anybody is refused: a revocation must not be rolled back."""
        async with self._database.transaction() as connection:
            owner = await store.find_refresh_token_owner(connection, token.hash)
        if owner is None:
            return None
        async with self._database.as_user(owner) as connection:
            presented = await store.lock_presented_token(connection, token.hash)
            user = None if presented is None else await store.get_user(connection, owner)
            if presented is None or user is None:
                return None
            successor = await self._successor(connection, token, presented, user, client)
        return None if successor is None else _Continued(user, presented.session_id, successor)

    async def _successor(
        self, connection: Connection, token: RefreshToken, presented: PresentedToken, user: User, client: Client
    ) -> RefreshToken | None:
        session_id = presented.session_id
        match judge(presented, GRACE):
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
