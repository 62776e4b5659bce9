"""What a token is, for an app that was shown it: anything that is not good is inactive, and nobody is told why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from api.apps.services import Services
from api.auth.api_keys.checking import ApiKeys
from api.auth.api_keys.text import is_key
from api.auth.sessions import Sessions
from api.auth.tokens import Claims, ServiceClaims, Tokens

_BEARER: Final = {"active": True, "token_type": "Bearer"}
_INACTIVE: Final = {"active": False}


class Introspection:
    """Looks at users' and services' access tokens, and at users' keys."""

    def __init__(self, tokens: Tokens, sessions: Sessions, services: Services, keys: ApiKeys) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._services = services
        self._keys = keys

    async def explain(self, token: str) -> Mapping[str, Any]:
        """The members of RFC 7662, 2.2. Raises ``Unavailable``."""
        if is_key(token):
            return await self._of_key(token)
        match await self._tokens.read(token):
            case Claims() as claims if await self._sessions.is_stored_live(claims):
                return {**_BEARER, **msgspec.to_builtins(claims), "username": claims.email}
            case ServiceClaims() as claims:
                return await self._of_service(claims)
            case _:
                return _INACTIVE

    async def _of_service(self, claims: ServiceClaims) -> Mapping[str, Any]:
        """Its scope is what is left of it by now."""
        service = await self._services.find(claims)
        if service is None:
            return _INACTIVE
        left = " ".join(each for each in claims.scope.split(" ") if each in service.app.permissions)
        return {**_BEARER, **msgspec.to_builtins(claims), "scope": left}

    async def _of_key(self, text: str) -> Mapping[str, Any]:
        key = await self._keys.find(text)
        if key is None:
            return _INACTIVE
        told = {"sub": str(key.user_id), "scope": " ".join(sorted(key.scopes)), "iat": int(key.created_at.timestamp())}
        ends = {} if key.expires_at is None else {"exp": int(key.expires_at.timestamp())}
        return {**_BEARER, **told, **ends}
