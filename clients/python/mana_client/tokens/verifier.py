"""Verifying access tokens by the issuer's published keys."""

from __future__ import annotations

from typing import Any, Final

import httpx
import jwt

from mana_client.commands import seconds
from mana_client.errors import InvalidToken
from mana_client.tokens.claims import Token, token_of
from mana_client.tokens.keys import KeySet, Patience

TYPE: Final = "at+jwt"
TOKEN_LENGTH_MAX: Final = 8_192
CLOCK_SKEW_SECONDS: Final = 10
_REQUIRED: Final = ["sub", "role", "sid", "iss", "aud", "iat", "exp", "jti"]


class TokenVerifier:
    """Tells who shows a token, without asking Mana each time.

        tokens = TokenVerifier("https://mana.example/.well-known/jwks.json", issuer="mana", audience="mana")
        token = await tokens.verify(text)

    Keys are fetched when they are first needed, and again when they are older than ``fresh``, or when a token names an
    unknown one and the last fetch was ``cooldown`` ago. Where they cannot be had, those that are known count for up to
    ``stale``. All in seconds. ``http`` is a client of your own, for proxies or private certificates.

    A session that was ended is not known here: its tokens are good until they expire, some minutes later. Ask
    ``POST /auth/introspect`` where that matters.
    """

    def __init__(
        self,
        jwks_url: str,
        issuer: str,
        audience: str,
        *,
        fresh: float = 300.0,
        stale: float = 86_400.0,
        cooldown: float = 10.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        patience = Patience(seconds(fresh, "fresh"), seconds(stale, "stale"), seconds(cooldown, "cooldown"))
        self._keys = KeySet(jwks_url, patience, http)
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str) -> Token:
        """What the token says. Raises ``InvalidToken``, and ``KeysUnavailable`` where nothing can be said of it."""
        key = await self._keys.find(_key_name(token))
        if key is None:
            raise InvalidToken("the token is signed with a key that is not the issuer's")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": _REQUIRED, "strict_aud": True},
            )
            return token_of(claims)
        except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidToken(f"the token is not good: {error}") from error


def _key_name(token: str) -> str:
    """The name of the key in the token's header, which must be one of ours. Raises ``InvalidToken``."""
    if len(token) > TOKEN_LENGTH_MAX:
        raise InvalidToken("the token is too long")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise InvalidToken(f"this is no token: {error}") from error
    kid = header.get("kid")
    if header.get("typ") != TYPE or not isinstance(kid, str) or "crit" in header:
        raise InvalidToken("this is no access token")
    return kid
