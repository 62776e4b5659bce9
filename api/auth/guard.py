"""Who is asking: the bearer token of a request, verified, and its session alive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeAlias

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from api.auth.sessions import Sessions
from api.auth.tokens import Claims, Tokens
from api.errors import BAD_TOKEN, Refusal, refuse
from contracts.errors import Error


class Guard:
    """Turns a request into the claims of whoever sent it."""

    def __init__(self, tokens: Tokens, sessions: Sessions) -> None:
        self._tokens = tokens
        self._sessions = sessions

    async def admit(self, request: Request) -> Claims:
        """The claims. Raises ``Refusal`` (``unauthorized``), and ``Unavailable`` where that cannot be told."""
        return await self._admit(request, self._sessions.is_live)

    async def admit_surely(self, request: Request) -> Claims:
        """The same by the database itself, whatever this process remembers."""
        return await self._admit(request, self._sessions.is_stored_live)

    async def _admit(self, request: Request, is_live: Callable[[Claims], Awaitable[bool]]) -> Claims:
        claims = await self._tokens.verify(_bearer(request))
        if claims is None or not await is_live(claims):
            raise _unauthorized(BAD_TOKEN)
        return claims


class _Bearer(SecurityBase):
    """The dependency of every route that needs a signed-in user; the guard itself is the application's."""

    def __init__(self) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="accessToken of POST /auth/login")
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Claims:
        guard: Guard = request.app.state.guard
        return await guard.admit(request)


class _SureBearer(_Bearer):
    async def __call__(self, request: Request) -> Claims:
        guard: Guard = request.app.state.guard
        return await guard.admit_surely(request)


class _AdminBearer(_SureBearer):
    async def __call__(self, request: Request) -> Claims:
        claims = await super().__call__(request)
        if claims.role != "admin":
            raise refuse("forbidden", "this is for administrators")
        return claims


SignedIn: TypeAlias = Annotated[Claims, Security(_Bearer())]
"""Parameter of a route that only a signed-in user may use."""
SurelySignedIn: TypeAlias = Annotated[Claims, Security(_SureBearer())]
"""The same for what must not be done with a session that ended a moment ago: the database is asked each time.
It may end while the request waits for the user's lock: under ``standing.seize`` it is looked at again."""
Admin: TypeAlias = Annotated[Claims, Security(_AdminBearer())]
"""Parameter of an administrator's route. The token's role may be minutes old: each act asks the database's as well."""


def _bearer(request: Request) -> str:
    values = request.headers.getlist("authorization")
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized()
    return token


def _unauthorized(headers: Mapping[str, str] | None = None) -> Refusal:
    return Refusal(Error("unauthorized", "a valid access token is needed: Authorization: Bearer …"), headers)
