"""Who is asking: the bearer of a request's ``Authorization``, verified, and good at this moment.

A route takes users who are signed in, and nobody else, unless its parameter says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Final, TypeAlias, TypeVar

import structlog
from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from api.apps.services import Service, Services
from api.auth.api_keys.checking import ApiKey, ApiKeys
from api.auth.api_keys.store import Scope
from api.auth.api_keys.text import is_key
from api.auth.sessions import Sessions
from api.auth.tokens import Claims, ServiceClaims, Tokens
from api.errors import BAD_TOKEN, Refusal, refuse
from contracts.apps import SECRET_PREFIX, Permission
from contracts.errors import Error
from contracts.permissions import lacks

User: TypeAlias = Claims | ApiKey
"""A user who is signed in, or a script that shows a key of theirs."""
Caller: TypeAlias = User | Service
"""A user, or an app."""
Known = TypeVar("Known", bound=Caller)


_NEEDED: Final = "a valid access token is needed: Authorization: Bearer …"
_NO_KEYS: Final = "keys do not open this: the access token of a user who is signed in is needed"
_NO_SERVICES: Final = "tokens of apps do not open this: the access token of a user who is signed in is needed"
_NO_SECRETS: Final = "an app's secret is shown at POST /auth/token alone, which gives an access token for it"


class Guard:
    """Turns a request into whoever sent it."""

    def __init__(self, tokens: Tokens, sessions: Sessions, keys: ApiKeys, services: Services) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._keys = keys
        self._services = services

    async def admit(self, request: Request) -> Claims:
        """The claims of a signed-in user. Raises ``Refusal`` (``unauthorized``), and ``Unavailable`` where that cannot
        be told."""
        return await self._admit(request, self._sessions.is_live)

    async def admit_surely(self, request: Request) -> Claims:
        """The same by the database itself, whatever this process remembers."""
        return await self._admit(request, self._sessions.is_stored_live)

    async def admit_anyone(self, request: Request) -> Caller:
        """Who asks, whichever kind of caller it is. Raises as ``admit`` does."""
        bearer = _bearer(request)
        caller = await (self._keys.use(bearer) if is_key(bearer) else self._holder_of(bearer))
        if caller is None:
            raise _not_good(bearer)
        return _named(caller)

    async def _holder_of(self, token: str) -> Claims | Service | None:
        match await self._tokens.read(token):
            case Claims() as claims if await self._sessions.is_live(claims):
                return claims
            case ServiceClaims() as claims:
                return await self._services.find(claims)
            case _:
                return None

    async def _admit(self, request: Request, is_live: Callable[[Claims], Awaitable[bool]]) -> Claims:
        bearer = _bearer(request)
        if is_key(bearer):
            raise _unauthorized(_NO_KEYS, BAD_TOKEN)
        match await self._tokens.read(bearer):
            case Claims() as claims if await is_live(claims):
                return _named(claims)
            case ServiceClaims():
                raise _unauthorized(_NO_SERVICES, BAD_TOKEN)
            case _:
                raise _not_good(bearer)


class _Scheme(SecurityBase):
    """What the dependencies of routes that ask for somebody have in common; the guard itself is the application's."""

    def __init__(self, name: str, of: str) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description=of)
        self.scheme_name = name


class _Bearer(_Scheme):
    """The dependency of every route that needs a signed-in user."""

    def __init__(self) -> None:
        super().__init__("bearer", "accessToken of POST /auth/login")

    async def __call__(self, request: Request) -> Claims:
        return await _guard(request).admit(request)


class _SureBearer(_Bearer):
    async def __call__(self, request: Request) -> Claims:
        return await _guard(request).admit_surely(request)


class _AdminBearer(_SureBearer):
    async def __call__(self, request: Request) -> Claims:
        claims = await super().__call__(request)
        if claims.role != "admin":
            raise refuse("forbidden", "this is for administrators")
        return claims


class _KeyBearer(_Scheme):
    """The dependency of routes that users' keys with a scope may use beside them."""

    def __init__(self, scope: Scope) -> None:
        super().__init__("bearer", "accessToken of POST /auth/login")
        self._scope: Scope = scope

    async def __call__(self, request: Request) -> User:
        caller = await _guard(request).admit_anyone(request)
        if isinstance(caller, Service):
            raise refuse("forbidden", "this is not for services")
        _check_scope(caller, self._scope)
        return caller


class _AnyBearer(_Scheme):
    """The dependency of routes that services may use as well, with a permission where one is named."""

    def __init__(self, scope: Scope, permission: Permission | None) -> None:
        super().__init__("bearer", "accessToken of POST /auth/login")
        self._scope: Scope = scope
        self._permission: Permission | None = permission

    async def __call__(self, request: Request) -> Caller:
        caller = await _guard(request).admit_anyone(request)
        if isinstance(caller, Service):
            _check_permission(caller, self._permission)
        else:
            _check_scope(caller, self._scope)
        return caller


class _ServiceBearer(_Scheme):
    """The dependency of routes that are for services alone."""

    def __init__(self, permission: Permission | None) -> None:
        super().__init__("service", "access_token of POST /auth/token")
        self._permission: Permission | None = permission

    async def __call__(self, request: Request) -> Service:
        caller = await _guard(request).admit_anyone(request)
        if not isinstance(caller, Service):
            raise refuse("forbidden", "this is for services")
        _check_permission(caller, self._permission)
        return caller


SignedIn: TypeAlias = Annotated[Claims, Security(_Bearer())]
"""Parameter of a route that only a signed-in user may use."""
SurelySignedIn: TypeAlias = Annotated[Claims, Security(_SureBearer())]
"""The same for what must not be done with a session that ended a moment ago: the database is asked each time.
It may end while the request waits for the user's lock: under ``standing.seize`` it is looked at again."""
Admin: TypeAlias = Annotated[Claims, Security(_AdminBearer())]
"""Parameter of an administrator's route. The token's role may be minutes old: each act asks the database's as well."""
ReadsOwnCredits: TypeAlias = Annotated[User, Security(_KeyBearer("credits:read"))]
"""Parameter of a route by which users and their keys see credits."""
ReadsCredits: TypeAlias = Annotated[Caller, Security(_AnyBearer("credits:read", "users:read"))]
"""Parameter of a route by which services see credits as well, of a user whom they name."""
ReadsOperations: TypeAlias = Annotated[Caller, Security(_AnyBearer("credits:read", None))]
"""The same for what services may look at of their own doing without a permission to see users."""
UsesCredits: TypeAlias = Annotated[Caller, Security(_AnyBearer("credits:use", None))]
"""Parameter of the route that uses credits. What a service may do is judged by its command."""
ActsOnCredits: TypeAlias = Annotated[Service, Security(_ServiceBearer(None))]
"""Parameter of a route by which services change a user's credits; what each may do is judged by its command."""
ReadsUsers: TypeAlias = Annotated[Service, Security(_ServiceBearer("users:read"))]
"""Parameter of a route by which services see users."""


def _guard(request: Request) -> Guard:
    guard: Guard = request.app.state.guard
    return guard


def _named(caller: Known) -> Known:
    """Every line that the request logs from now on says who asks."""
    if isinstance(caller, Service):
        structlog.contextvars.bind_contextvars(caller_app_id=caller.app.id)
    else:
        structlog.contextvars.bind_contextvars(caller_id=str(caller.user_id))
    return caller


def _check_scope(caller: User, scope: Scope) -> None:
    if isinstance(caller, ApiKey) and scope not in caller.scopes:
        raise refuse("forbidden", f"the key has not the scope {scope}")


def _check_permission(service: Service, permission: Permission | None) -> None:
    if permission is not None and not service.app.may(permission):
        raise Refusal(lacks(permission, f"the service has not the permission {permission}"))


def _bearer(request: Request) -> str:
    values = request.headers.getlist("authorization")
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized(_NEEDED)
    return token


def _not_good(bearer: str) -> Refusal:
    """Nobody is told what is wrong with a token; what is another thing by its form is called so."""
    return _unauthorized(_NO_SECRETS if bearer.startswith(SECRET_PREFIX) else _NEEDED, BAD_TOKEN)


def _unauthorized(message: str, headers: Mapping[str, str] | None = None) -> Refusal:
    return Refusal(Error("unauthorized", message), headers)
