"""Sign-in with a password: the same work and the same answer whoever is asked for."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from api.auth import standing, store
from api.auth.devices import Devices
from api.auth.emails import Email
from api.auth.hashing import Hasher
from api.auth.model import Client, Device, SecurityEvent, SignInCandidate
from api.auth.sealing import derive
from api.auth.starting import Grant, Started, Starting, grant
from api.auth.tokens import Tokens
from api.auth.two_factor.challenge import Challenge, after_password
from api.database import Database
from api.errors import Refusal, Unavailable, refuse
from api.throttle.attempts import Attempts, Reservation

_NOBODY: Final = UUID(int=0)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Credentials:
    """What somebody signs in with."""

    email: Email
    password: str


def not_signed_in() -> Refusal:
    """The one answer to wrong, unknown, banned and password-less alike."""
    return refuse("unauthorized", "the e-mail address or the password is wrong")


class SignIn:
    """Checks passwords, and starts sessions or asks for more; ``secret`` keys the hashes of addresses nobody has."""

    def __init__(
        self,
        database: Database,
        hasher: Hasher,
        tokens: Tokens,
        *,
        starting: Starting,
        attempts: Attempts,
        devices: Devices,
        secret: bytes,
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._tokens = tokens
        self._starting = starting
        self._attempts = attempts
        self._devices = devices
        self._subject_key = derive(secret, b"mana: addresses in security events")

    async def sign_in(self, credentials: Credentials, client: Client, device: Device) -> Grant | Challenge:
        """A session, or what must be answered first.

        Raises ``Refusal`` (``unauthorized``, ``rate_limited``), and ``Unavailable``.
        """
        email, device_hash = credentials.email, self._devices.hash_of(device)
        async with self._database.statement() as connection:
            candidate = await store.find_sign_in(connection, email, device_hash)
        known = candidate is not None and candidate.known_device
        attempt = await self._attempts.reserve(email.key.encode(), device_hash if known else None, client.address)
        fits = await self._verify(credentials, None if candidate is None else candidate.password_hash, attempt)
        outcome = None
        if candidate is not None and fits:
            async with attempt.looked_at():
                outcome = await self._proceed(candidate, credentials, client, device)
        if outcome is None:
            await self._note_failure(candidate, email, client)
            raise not_signed_in()
        if isinstance(outcome, Challenge):
            # Neither wrong nor the whole proof: earlier guesses are forgotten once the challenge is answered.
            await attempt.returned()
            return outcome
        await attempt.succeeded()
        return await grant(self._tokens, outcome)

    async def _verify(self, credentials: Credentials, stored: str | None, attempt: Reservation) -> bool:
        """One hash, whatever is stored."""
        async with attempt.looked_at():
            return await self._hasher.verify(credentials.password, stored, credentials.email.key.encode())

    async def _proceed(
        self, candidate: SignInCandidate, credentials: Credentials, client: Client, device: Device
    ) -> Started | Challenge | None:
        """Goes on where the password was right: ``None`` for the banned, and where what proves the user was changed
        since it was read."""
        if candidate.banned:
            return None
        await self._upgrade(candidate, credentials.password)
        async with self._database.as_user(candidate.user_id) as connection:
            now = await standing.enter(connection, candidate.user_id)
            if now is None or now.banned or now.epoch != candidate.credential_epoch:
                return None
            challenge = await after_password(connection, now, device, self._devices.hash_of(device))
            return challenge or await self._starting.start(connection, now, client, device)

    async def _note_failure(self, candidate: SignInCandidate | None, email: Email, client: Client) -> None:
        """As much work for an address that nobody has; that one is kept as a keyed hash only."""
        user_id = None if candidate is None else candidate.user_id
        subject = hmac.digest(self._subject_key, email.key.encode(), hashlib.sha256)
        event = SecurityEvent("sign_in.failed", client, user_id, subject_hash=subject)
        async with self._database.as_user(user_id or _NOBODY) as connection:
            await store.add_event(connection, event)

    async def _upgrade(self, candidate: SignInCandidate, password: str) -> None:
        """Keeps the same password by today's parameters, where its hash was made with others; where there is no room
        for that, the next sign-in does it."""
        stored = candidate.password_hash
        if stored is None or not self._hasher.is_outdated(stored):
            return
        try:
            replacement = await self._hasher.hash(password)
        except Unavailable as error:
            _log.info("a hash stays as it is until the next sign-in", reason=str(error))
            return
        async with self._database.as_user(candidate.user_id) as connection:
            await store.replace_password_hash(connection, candidate.user_id, stored, replacement)
