"""The routes of sign-in. They translate; what they do is in the services that they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response, params

from api.auth.bodies import (
    ChallengeView,
    DoneView,
    GrantView,
    KeySetView,
    LoginBody,
    RefreshBody,
    RegisterBody,
    UserView,
    ValidateBody,
    ValidationView,
)
from api.auth.browser.cookies import (
    device_of,
    refresh_token_in,
    with_device_cookie,
    with_refresh_cookie,
    without_refresh_cookie,
)
from api.auth.browser.mode import DOCUMENTED, Browsers, Mode, mode_of, not_ours
from api.auth.caching import keep_out_of_caches
from api.auth.client import client_of
from api.auth.guard import SignedIn
from api.auth.key_schedule import PUBLISHED_SECONDS
from api.auth.keyring import Keyring
from api.auth.language import preferred
from api.auth.metrics import SignInMetrics
from api.auth.registration import NewUser, Registration
from api.auth.sessions import Sessions, not_refreshed
from api.auth.sign_in import Credentials, SignIn
from api.auth.tokens import Tokens
from api.auth.two_factor.challenge import Challenge
from api.errors import refuse_field
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.limited import limited
from contracts.errors import ErrorCode

_KEYS_AGE: Final = f"public, max-age={PUBLISHED_SECONDS:.0f}"


@dataclass(frozen=True)
class AuthRoutes:
    """The routes' handlers, over their services."""

    registration: Registration
    sign_in: SignIn
    sessions: Sessions
    tokens: Tokens
    keyring: Keyring
    browsers: Browsers
    metrics: SignInMetrics

    def router(self) -> APIRouter:
        """The routes below ``/auth``."""
        router = APIRouter(prefix=f"{BASE}/auth", tags=["auth"])

        def post(path: str, handler: Any, *codes: ErrorCode, **more: Any) -> None:
            router.add_api_route(
                path, handler, methods=["POST"], responses=answers("payload_too_large", *codes), **more
            )

        def post_in_any_mode(path: str, handler: Any, *first: params.Depends) -> None:
            """For clients with tokens of their own, and for browsers."""
            dependencies = [*first, Depends(self.browsers.check)]
            codes: tuple[ErrorCode, ...] = ("unauthorized", "forbidden", "invalid_request")
            post(path, handler, *codes, dependencies=dependencies, openapi_extra=DOCUMENTED)

        counted = {"status_code": 201, "dependencies": [limited("register")]}
        post("/register", self.register, "email_taken", "invalid_request", **counted)
        post_in_any_mode("/login", self.login, limited("login"))
        post_in_any_mode("/refresh", self.refresh, limited("refresh"))
        post_in_any_mode("/logout", self.logout)
        post("/validate", self.validate, "invalid_request")
        router.add_api_route("/jwks", self.jwks, methods=["GET"], response_model=KeySetView, responses=answers())
        return router

    def well_known(self) -> APIRouter:
        """The keys where programs of others look for them, at the root."""
        router = APIRouter(tags=["auth"])
        router.add_api_route("/.well-known/jwks.json", self.jwks, methods=["GET"], include_in_schema=False)
        return router

    async def register(self, body: RegisterBody, request: Request, response: Response) -> UserView:
        """Makes a user, and opens the account."""
        keep_out_of_caches(response)
        new = NewUser(body.email, body.password, body.name, preferred(request.headers.get("accept-language")))
        return UserView.of(await self.registration.register(new, client_of(request)))

    async def login(self, body: LoginBody, request: Request, response: Response) -> GrantView | ChallengeView:
        """Starts a session, or asks for the second factor of a user who has one."""
        keep_out_of_caches(response)
        mode, device = mode_of(request), device_of(request, body.device_id, body.device_name)
        credentials = Credentials(body.email, body.password)
        outcome = await self.metrics.counted("password", self.sign_in.sign_in(credentials, client_of(request), device))
        with_device_cookie(response, device, mode)
        if isinstance(outcome, Challenge):
            return ChallengeView.of(outcome)
        return with_refresh_cookie(response, outcome, mode)

    async def refresh(self, request: Request, response: Response, body: RefreshBody | None = None) -> GrantView:
        """Spends a refresh token for a new pair; the use of a spent one ends its session.

        In cookie mode, asked for by `X-Mana-Session: cookie`, the token is in the cookie and there need be no body.
        """
        keep_out_of_caches(response)
        token = _refresh_token(request, None if body is None else body.refresh_token)
        grant = await self.sessions.refresh(token, client_of(request))
        return with_refresh_cookie(response, grant, mode_of(request))

    async def logout(self, claims: SignedIn, request: Request, response: Response) -> DoneView:
        """Ends the session that the access token belongs to."""
        keep_out_of_caches(response)
        await self.sessions.end(claims, client_of(request))
        without_refresh_cookie(response, mode_of(request))
        return DoneView()

    async def validate(self, body: ValidateBody, response: Response) -> ValidationView:
        """Tells whether an access token is good and its session alive, by the database."""
        keep_out_of_caches(response)
        claims = await self.tokens.verify(body.token)
        if claims is None or not await self.sessions.is_stored_live(claims):
            return ValidationView.model_construct(valid=False, payload=None)
        return ValidationView.model_construct(valid=True, payload=msgspec.to_builtins(claims))

    async def jwks(self, response: Response) -> dict[str, Any]:
        """The public keys that access tokens are verified with."""
        response.headers["cache-control"] = _KEYS_AGE
        return await self.keyring.jwks()


def _refresh_token(request: Request, in_body: str | None) -> str:
    """The one refresh token of a request. Raises ``Refusal`` where there is none, or where it came twice."""
    in_cookie = refresh_token_in(request)
    if mode_of(request) is Mode.COOKIE:
        if in_body is not None:
            raise refuse_field("refreshToken", "is in the cookie in this mode")
        if in_cookie is None:
            raise not_refreshed()
        return in_cookie
    if in_body is None:
        raise refuse_field("refreshToken", "is required") if in_cookie is None else not_ours()
    return in_body
