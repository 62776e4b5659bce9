"""The routes of sign-in. They translate; what they do is in the services that they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

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
from api.auth.client import client_of
from api.auth.guard import SignedIn
from api.auth.keyring import Keyring
from api.auth.language import preferred
from api.auth.model import Device
from api.auth.registration import NewUser, Registration
from api.auth.sessions import Sessions
from api.auth.sign_in import Credentials, SignIn
from api.auth.tokens import Tokens
from api.auth.two_factor.challenge import Challenge
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.classes import ClassName
from api.throttle.limited import limited
from contracts.errors import ErrorCode

_KEYS_AGE: Final = "public, max-age=300"


@dataclass(frozen=True)
class AuthRoutes:
    """The routes' handlers, over their services."""

    registration: Registration
    sign_in: SignIn
    sessions: Sessions
    tokens: Tokens
    keyring: Keyring

    def router(self) -> APIRouter:
        """The routes below ``/auth``."""
        router = APIRouter(prefix=f"{BASE}/auth", tags=["auth"])

        def post(path: str, handler: Any, *codes: ErrorCode, status: int = 200, limit: ClassName | None = None) -> None:
            router.add_api_route(
                path,
                handler,
                methods=["POST"],
                status_code=status,
                responses=answers("payload_too_large", *codes),
                dependencies=[limited(limit)] if limit else [],
            )

        post("/register", self.register, "email_taken", "invalid_request", status=201, limit="register")
        post("/login", self.login, "unauthorized", "invalid_request", limit="login")
        post("/refresh", self.refresh, "unauthorized", "invalid_request", limit="refresh")
        post("/logout", self.logout, "unauthorized")
        post("/validate", self.validate, "invalid_request")
        router.add_api_route("/jwks", self.jwks, methods=["GET"], response_model=KeySetView, responses=answers())
        return router

    def well_known(self) -> APIRouter:
        """The keys where programs of others look for them, at the root."""
        router = APIRouter(tags=["auth"])
        router.add_api_route("/.well-known/jwks.json", self.jwks, methods=["GET"], include_in_schema=False)
        return router

    async def register(self, body: RegisterBody, request: Request, response: Response) -> UserView:
        """Makes a user; the account opens with the signup bonus."""
        _keep_out_of_caches(response)
        new = NewUser(body.email, body.password, body.name, preferred(request.headers.get("accept-language")))
        return UserView.of(await self.registration.register(new, client_of(request)))

    async def login(self, body: LoginBody, request: Request, response: Response) -> GrantView | ChallengeView:
        """Starts a session, or asks for the second factor of a user who has one."""
        _keep_out_of_caches(response)
        device = Device(body.device_id, body.device_name)
        credentials = Credentials(body.email, body.password)
        outcome = await self.sign_in.sign_in(credentials, client_of(request), device)
        return ChallengeView.of(outcome) if isinstance(outcome, Challenge) else GrantView.of(outcome)

    async def refresh(self, body: RefreshBody, request: Request, response: Response) -> GrantView:
        """Spends a refresh token for a new pair; the use of a spent one ends its session."""
        _keep_out_of_caches(response)
        return GrantView.of(await self.sessions.refresh(body.refresh_token, client_of(request)))

    async def logout(self, claims: SignedIn, request: Request, response: Response) -> DoneView:
        """Ends the session that the access token belongs to."""
        _keep_out_of_caches(response)
        await self.sessions.end(claims, client_of(request))
        return DoneView()

    async def validate(self, body: ValidateBody, response: Response) -> ValidationView:
        """Tells whether an access token is good and its session alive, by the database."""
        _keep_out_of_caches(response)
        claims = await self.tokens.verify(body.token)
        if claims is None or not await self.sessions.is_stored_live(claims):
            return ValidationView.model_construct(valid=False, payload=None)
        return ValidationView.model_construct(valid=True, payload=msgspec.to_builtins(claims))

    async def jwks(self, response: Response) -> dict[str, Any]:
        """The public keys that access tokens are verified with."""
        response.headers["cache-control"] = _KEYS_AGE
        return await self.keyring.jwks()


def _keep_out_of_caches(response: Response) -> None:
    response.headers["cache-control"] = "no-store"
