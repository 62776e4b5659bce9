"""The routes by which apps get access tokens, and have tokens explained. What they speak is OAuth's, not ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.apps import documented
from api.apps.clients import Clients
from api.apps.introspection import Introspection
from api.apps.oauth import answer, credentials_of, read_form, refuse
from api.auth.client import client_of
from api.auth.tokens import Tokens
from api.errors import Answered
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.limited import limited
from contracts.apps import PERMISSIONS, App, Permission

_GRANT: Final = "client_credentials"


@dataclass(frozen=True)
class TokenRoutes:
    """The routes' handlers."""

    clients: Clients
    tokens: Tokens
    introspection: Introspection

    def router(self) -> APIRouter:
        """The routes below ``/auth``."""
        router = APIRouter(prefix=f"{BASE}/auth", tags=["services"])

        def post(path: str, handler: Any, responses: dict[int | str, dict[str, Any]], body: dict[str, Any]) -> None:
            router.add_api_route(
                path,
                handler,
                methods=["POST"],
                dependencies=[limited("token", _app_named)],
                responses=responses | answers("payload_too_large"),
                openapi_extra={"requestBody": body, "security": documented.BY_SECRET},
            )

        post("/token", self.give_token, documented.TOKEN_ANSWERS, documented.TOKEN_FORM)
        post("/introspect", self.introspect, documented.INTROSPECTION_ANSWERS, documented.INTROSPECTION_FORM)
        return router

    async def give_token(self, request: Request) -> Response:
        """An access token for an app that shows its id and one of its secrets (RFC 6749, 4.4)."""
        form = await read_form(request)
        if "grant_type" not in form:
            raise refuse("invalid_request", "grant_type is missing")
        if form["grant_type"] != _GRANT:
            raise refuse("unsupported_grant_type", f"the one grant_type here is {_GRANT}")
        proven = await self.clients.prove(credentials_of(request, form), client_of(request))
        scope = _scope(form.get("scope"), proven.app)
        token = await self.tokens.issue_to_service(proven.app.id, proven.secret_id, scope)
        return answer(
            {"access_token": token.text, "token_type": "Bearer", "expires_in": token.expires_in, "scope": scope}
        )

    async def introspect(self, request: Request) -> Response:
        """What a token says, to an app that may read users (RFC 7662): only `active` of any that is not good."""
        form = await read_form(request)
        proven = await self.clients.prove(credentials_of(request, form), client_of(request))
        if not proven.app.may("users:read"):
            raise refuse("insufficient_scope", "the app needs the permission users:read")
        if "token" not in form:
            raise refuse("invalid_request", "token is missing")
        return answer(await self.introspection.explain(form["token"]))


async def _app_named(request: Request) -> bytes:
    """The app that a request is said to be of; those that name none in a way that can be read are counted together."""
    try:
        return credentials_of(request, await read_form(request)).app_id.encode()
    except Answered:
        return b""


def _scope(wanted: str | None, app: App) -> str:
    """All that the app may do, or what of it is wanted. Raises ``Answered``."""
    if wanted is None:
        return scope_of(app)
    named = wanted.split(" ")
    if not all(each in app.permissions for each in named):
        raise refuse("invalid_scope", "the app has not all of these permissions")
    return " ".join(each for each in PERMISSIONS if each in named)


def scope_of(app: App) -> str:
    """An app's permissions as OAuth writes them, always in the same order."""
    held: list[Permission] = [each for each in PERMISSIONS if each in app.permissions]
    return " ".join(held)
