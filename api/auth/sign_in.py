"""Sign-in with a password: the same work and the same answer whoever is asked for."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from api.auth import store
from api.auth.emails import Email
from api.auth.hashing import Hasher
from api.auth.model import Client, Device, Lifetimes, SecurityEvent, SignInCandidate, User
from api.auth.refresh_tokens import RefreshToken
from api.auth.sealing import derive
from api.auth.tokens import Tokens
from api.database import Database
from api.errors import Refusal, refuse

_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True)
class Credentials:
    """What somebody signs in with."""

    email: Email
    password: str


@dataclass(frozen=True)
class Grant:
    """What a sign-in or a refresh gives: tokens, and whose they are; ``expires_in`` in seconds."""

    user: User
    access_token: str
    refresh_token: str
    expires_in: int


def not_signed_in() -> Refusal:
    """The one answer to wrong, unknown, banned and password-less alike."""
    return refuse("unauthorized", "the e-mail address or the password is wrong")


class SignIn:
    """Checks passwords and starts sessions."""

    def __init__(
        self, database: Database, hasher: Hasher, tokens: Tokens, *, lifetimes: Lifetimes, secret: bytes
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._tokens = tokens
        self._lifetimes = lifetimes
        self._subject_key = derive(secret, b"mana: addresses in security events")

    async def sign_in(self, credentials: Credentials, client: Client, device: Device) -> Grant:
        """Starts a session. Raises ``Refusal`` (``unauthorized``), and ``Unavailable``."""
        async with self._database.transaction() as connection:
            candidate = await store.find_sign_in(connection, credentials.email)
        stored = None if candidate is None else candidate.password_hash
        fits = await self._hasher.verify(credentials.password, stored)
        if candidate is None or stored is None or not fits or candidate.banned:
            await self._note_failure(candidate, credentials.email, client)
            raise not_signed_in()
        if self._hasher.is_outdated(stored):
            await self._upgrade(candidate.user_id, credentials.password, stored)
        return await self._start(candidate.user_id, client, device)

    async def _start(self, user_id: UUID, client: Client, device: Device) -> Grant:
        token = RefreshToken.new()
        async with self._database.as_user(user_id) as connection:
            user = await store.get_user(connection, user_id)
            if user is None:
                raise not_signed_in()
            session_id = await store.start_session(
                connection, user_id, token.hash, client=client, device=device, lifetimes=self._lifetimes
            )
            await store.add_event(connection, SecurityEvent("sign_in.succeeded", client, user_id, session_id))
        access_token = await self._tokens.issue(user_id, user.email, user.role, session_id)
        return Grant(user, access_token, token.text, self._tokens.life_seconds)

    async def _note_failure(self, candidate: SignInCandidate | None, email: Email, client: Client) -> None:
        """As much work for an address that nobody has; that one is kept as a keyed hash only."""
        user_id = None if candidate is None else candidate.user_id
        subject = hmac.digest(self._subject_key, email.key.encode(), hashlib.sha256)
        event = SecurityEvent("sign_in.failed", client, user_id, subject_hash=subject)
        async with self._database.as_user(user_id or _NOBODY) as connection:
            await store.add_event(connection, event)

    async def _upgrade(self, user_id: UUID, password: str, stored: str) -> None:
        replacement = await self._hasher.hash(password)
        async with self._database.as_user(user_id) as connection:
            await store.replace_password_hash(connection, user_id, stored, replacement)
