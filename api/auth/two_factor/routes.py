"""The routes of the second factor, and of proving again who one is. They translate; the services decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response, params

from api.auth.bodies import DoneView, GrantView
from api.auth.browser.cookies import device_of, with_refresh_cookie
from api.auth.browser.mode import DOCUMENTED, Browsers, mode_of
from api.auth.caching import keep_out_of_caches
from api.auth.client import client_of
from api.auth.guard import SurelySignedIn
from api.auth.metrics import SignInMetrics
from api.auth.two_factor.answering import Answer, Answering
from api.auth.two_factor.bodies import (
    AnswerBody,
    CodeBody,
    FactorBody,
    NewSecretView,
    ReauthenticateBody,
    RecoveryCodesView,
)
from api.auth.two_factor.challenge import Challenge
from api.auth.two_factor.enrolment import Enrolment
from api.auth.two_factor.reauthentication import Reauthentication
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.limited import limited
from contracts.errors import ErrorCode


@dataclass(frozen=True)
class TwoFactorRoutes:
    """The routes' handlers, over their services."""

    answering: Answering
    enrolment: Enrolment
    reauthentication: Reauthentication
    browsers: Browsers
    metrics: SignInMetrics

    def router(self) -> APIRouter:
        """The routes below ``/auth``."""
        router = APIRouter(prefix=f"{BASE}/auth", tags=["two-factor"])

        def post(
            path: str,
            handler: Any,
            *codes: ErrorCode,
            first: Sequence[params.Depends] = (),
            documented: dict[str, Any] | None = None,
        ) -> None:
            router.add_api_route(
                path,
                handler,
                methods=["POST"],
                responses=answers("payload_too_large", "unauthorized", *codes),
                dependencies=first,
                openapi_extra=documented,
            )

        guarded = [limited("second_factor"), Depends(self.browsers.check)]
        post(
            "/login/two-factor",
            self.answer_challenge,
            "forbidden",
            "invalid_request",
            first=guarded,
            documented=DOCUMENTED,
        )
        told = [limited("credentials")]
        post("/reauthenticate", self.reauthenticate, "forbidden", "invalid_request")
        post("/two-factor/setup", self.set_up_two_factor, "forbidden")
        post("/two-factor/enable", self.enable_two_factor, "forbidden", "invalid_request", first=told)
        post("/two-factor/recovery-codes", self.renew_recovery_codes, "forbidden", "invalid_request", first=told)
        post("/two-factor/disable", self.disable_two_factor, "forbidden", "invalid_request", first=told)
        return router

    async def answer_challenge(self, body: AnswerBody, request: Request, response: Response) -> GrantView:
        """Answers a login's challenge with a second factor, and starts the session."""
        keep_out_of_caches(response)
        device = device_of(request, body.device_id, None)
        answer = Answer(Challenge(body.challenge), body.presented, device.id)
        granted = await self.metrics.counted("second_factor", self.answering.answer(answer, client_of(request)))
        return with_refresh_cookie(response, granted, mode_of(request))

    async def reauthenticate(
        self, claims: SurelySignedIn, body: ReauthenticateBody, request: Request, response: Response
    ) -> DoneView:
        """Proves again who is signed in, for what needs a recent sign-in."""
        keep_out_of_caches(response)
        await self.reauthentication.prove(claims, body.password, body.code, client_of(request))
        return DoneView()

    async def set_up_two_factor(self, claims: SurelySignedIn, response: Response) -> NewSecretView:
        """Makes the secret of an authenticator. It is in force once a code of it has been given to `enable`."""
        keep_out_of_caches(response)
        return NewSecretView.of(await self.enrolment.set_up(claims))

    async def enable_two_factor(
        self, claims: SurelySignedIn, body: CodeBody, request: Request, response: Response
    ) -> RecoveryCodesView:
        """Turns the second factor on, and gives the recovery codes. All other sessions end."""
        keep_out_of_caches(response)
        return RecoveryCodesView.of(await self.enrolment.enable(claims, body.code, client_of(request)))

    async def renew_recovery_codes(
        self, claims: SurelySignedIn, body: CodeBody, request: Request, response: Response
    ) -> RecoveryCodesView:
        """Gives new recovery codes; the old ones are void."""
        keep_out_of_caches(response)
        return RecoveryCodesView.of(await self.enrolment.renew_codes(claims, body.code, client_of(request)))

    async def disable_two_factor(
        self, claims: SurelySignedIn, body: FactorBody, request: Request, response: Response
    ) -> DoneView:
        """Turns the second factor off."""
        keep_out_of_caches(response)
        await self.enrolment.disable(claims, body.presented, client_of(request))
        return DoneView()
