"""Access tokens: JWTs (RFC 9068's ``at+jwt``) that say who somebody is for some minutes. Strict about what it reads.

One algorithm for each key, fixed by the key's kind and never by the token; every claim is required and typed; a header
holds ``alg``, ``kid`` and ``typ`` and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import jwt
import msgspec
import uuid_utils

from api.auth.key_schedule import SKEW_SECONDS
from api.auth.keyring import Keyring
from api.auth.keys import VerifyingKey
from api.clock import Clock
from api.lru import LeastRecentlyUsed
from contracts.fields import AppId, Uuid

TYPE: Final = "at+jwt"
TOKEN_LENGTH_MAX: Final = 8_192
CACHED_MAX: Final = 20_000
"""So many tokens are remembered as good."""
_HEADER: Final = frozenset({"alg", "kid", "typ"})
_REQUIRED: Final = ["sub", "role", "sid", "iss", "aud", "iat", "exp", "jti"]
SERVICE: Final = "service"
"""The role of an app's token."""


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user's access token says; times are seconds since 1970."""

    sub: Uuid
    email: str
    role: Literal["user", "admin"]
    sid: Uuid
    iss: str
    aud: str
    iat: int
    exp: int
    jti: Uuid

    @property
    def user_id(self) -> UUID:
        """Whose token it is."""
        return UUID(self.sub)

    @property
    def session_id(self) -> UUID:
        """The sign-in that it comes from."""
        return UUID(self.sid)


class ServiceClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an app's access token says: ``sub`` and ``client_id`` are the app's id, ``sid`` that of the secret which the
    token was given for, and ``scope`` its permissions, parted by spaces (RFC 9068)."""

    sub: AppId
    client_id: AppId
    scope: str
    role: Literal["service"]
    sid: str
    iss: str
    aud: str
    iat: int
    exp: int
    jti: Uuid


AnyClaims: TypeAlias = Claims | ServiceClaims


@dataclass(frozen=True)
class AccessToken:
    """A signed token, and the seconds that it lives."""

    text: str
    expires_in: int


@dataclass(frozen=True)
class TokenRules:
    """Who issues, for whom, for how long."""

    issuer: str
    audience: str
    life: timedelta


@dataclass(frozen=True)
class _Verified:
    """A token that was good, for as long as its key is."""

    claims: AnyClaims
    kid: str


class Tokens:
    """Signs and verifies access tokens; what was verified once is remembered until it or its key expires."""

    def __init__(self, keyring: Keyring, rules: TokenRules, clock: Clock) -> None:
        self._keyring = keyring
        self._rules = rules
        self._clock = clock
        self._life_seconds = int(rules.life.total_seconds())
        self._verified: LeastRecentlyUsed[str, _Verified] = LeastRecentlyUsed(CACHED_MAX)

    def seconds_until(self, moment: datetime) -> int:
        """Whole seconds from now on, never negative."""
        return max(0, int(moment.timestamp()) - int(self._clock()))

    async def issue(self, user_id: UUID, email: str, role: str, session_id: UUID, until: datetime) -> AccessToken:
        """A new token that does not outlive its session, which ends at ``until``.

        Raises ``Unavailable`` without a key to sign with.
        """
        expires_in = min(self._life_seconds, self.seconds_until(until))
        return await self._sign(expires_in, sub=str(user_id), email=email, role=role, sid=str(session_id))

    async def issue_to_service(self, app_id: str, secret_id: str, scope: str) -> AccessToken:
        """A new token of an app that has shown this secret. Raises ``Unavailable`` without a key to sign with."""
        return await self._sign(
            self._life_seconds, sub=app_id, client_id=app_id, scope=scope, role=SERVICE, sid=secret_id
        )

    async def _sign(self, expires_in: int, **claims: str) -> AccessToken:
        key = await self._keyring.current()
        now = int(self._clock())
        payload = {
            **claims,
            "iss": self._rules.issuer,
            "aud": self._rules.audience,
            "iat": now,
            "exp": now + expires_in,
            "jti": str(uuid_utils.uuid7()),
        }
        text = jwt.encode(payload, key.private, key.algorithm, {"kid": key.kid, "typ": TYPE})
        return AccessToken(text, expires_in)

    async def verify(self, token: str) -> Claims | None:
        """The claims of a user's token, or ``None`` for anything that is not good. Raises as ``read`` does."""
        claims = await self.read(token)
        return claims if isinstance(claims, Claims) else None

    async def read(self, token: str) -> AnyClaims | None:
        """The token's claims, or ``None`` for anything that is not good. Raises ``Unavailable`` without any key."""
        known = self._verified.get(token)
        if known is None:
            known = await self._verify(token)
            if known is not None:
                self._verified.put(token, known)
        if known is None or known.claims.exp <= self._clock():
            return None
        if not self._keyring.verifies(known.kid):
            self._verified.drop(token)
            return None
        return known.claims

    async def _verify(self, token: str) -> _Verified | None:
        kid = _key_name(token)
        if kid is None or (key := await self._keyring.find(kid)) is None:
            return None
        try:
            claims = self._decode(token, key)
            return _Verified(claims, kid) if claims.iat <= self._clock() + SKEW_SECONDS else None
        except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError):
            return None

    def _decode(self, token: str, key: VerifyingKey) -> AnyClaims:
        payload: dict[str, Any] = jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            audience=self._rules.audience,
            issuer=self._rules.issuer,
            # Times are judged by our own clock, above; the library would ask the machine's.
            options={"require": _REQUIRED, "verify_iat": False, "verify_exp": False},
        )
        shape = ServiceClaims if payload["role"] == SERVICE else Claims
        return msgspec.convert(payload, shape, strict=True)


def _key_name(token: str) -> str | None:
    """The token's ``kid`` if its header has exactly the form of ours."""
    if len(token) > TOKEN_LENGTH_MAX:
        return None
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return None
    kid = header.get("kid")
    return kid if header.keys() == _HEADER and header["typ"] == TYPE and isinstance(kid, str) else None
