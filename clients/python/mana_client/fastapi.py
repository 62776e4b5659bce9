"""Dependencies for FastAPI: who asks, by the access token in the request. Needs ``mana-client[fastapi]``.

    app = FastAPI()
    install(app, TokenVerifier(jwks_url, issuer="mana", audience="mana"))

    @app.get("/me")
    async def me(user: CurrentUser) -> str:
        return user.user_id

    @app.delete("/posts/{id}", dependencies=[require_role("admin")])
    async def delete(id: int) -> None: ...

Who shows no token or one that is not good is answered with 401, who may not with 403, as RFC 9457 problems.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mana_client.errors import InvalidToken, KeysUnavailable
from mana_client.tokens import ServiceToken, Token, TokenVerifier, UserToken

__all__ = ["CurrentService", "CurrentToken", "CurrentUser", "Problem", "install", "require_role", "require_scope"]

_bearer: Final = HTTPBearer(auto_error=False, bearerFormat="JWT", description="an access token of Mana's")


class Problem(Exception):
    """Ends a request with a problem document (RFC 9457)."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}


def install(app: FastAPI, tokens: TokenVerifier) -> None:
    """What the dependencies of this app verify tokens with, and how its problems are answered."""
    app.state.mana_tokens = tokens
    app.add_exception_handler(Problem, _answer)


async def _answer(_: Request, problem: Exception) -> JSONResponse:
    if not isinstance(problem, Problem):
        raise problem
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
        "code": problem.code,
        "details": {},
    }
    return JSONResponse(body, problem.status.value, problem.headers, media_type="application/problem+json")


async def _current_token(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Token:
    tokens: TokenVerifier = request.app.state.mana_tokens
    if credentials is None:
        raise _unauthorized("an access token is needed", "Bearer")
    try:
        return await tokens.verify(credentials.credentials)
    except InvalidToken as error:
        raise _unauthorized("the access token is not good", 'Bearer error="invalid_token"') from error
    except KeysUnavailable as error:
        detail = "access tokens cannot be verified now"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", detail, {"Retry-After": "1"}) from error


CurrentToken = Annotated[Token, Depends(_current_token)]
"""Who asks: a user, or an app."""


async def _current_user(token: CurrentToken) -> UserToken:
    if not isinstance(token, UserToken):
        raise _forbidden("this is for users")
    return token


async def _current_service(token: CurrentToken) -> ServiceToken:
    if not isinstance(token, ServiceToken):
        raise _forbidden("this is for services")
    return token


CurrentUser = Annotated[UserToken, Depends(_current_user)]
"""The user who asks."""
CurrentService = Annotated[ServiceToken, Depends(_current_service)]
"""The app that asks."""


def require_role(*roles: str) -> Any:
    """A dependency: whoever asks must have one of these roles (``user``, ``admin``, ``service``). Gives the token."""

    async def check(token: CurrentToken) -> Token:
        if token.role not in roles:
            raise _forbidden(f"this needs the role {' or '.join(roles)}")
        return token

    return Depends(check)


def require_scope(*scopes: str) -> Any:
    """A dependency: an app must ask, and have been given all of these permissions. Gives its token."""

    async def check(token: CurrentToken) -> ServiceToken:
        if not isinstance(token, ServiceToken) or not token.scopes.issuperset(scopes):
            needed = " ".join(scopes)
            raise _forbidden(f"this needs {needed}", f'Bearer error="insufficient_scope", scope="{needed}"')
        return token

    return Depends(check)


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, {"WWW-Authenticate": challenge})


def _forbidden(detail: str, challenge: str | None = None) -> Problem:
    headers = None if challenge is None else {"WWW-Authenticate": challenge}
    return Problem(HTTPStatus.FORBIDDEN, "forbidden", detail, headers)
