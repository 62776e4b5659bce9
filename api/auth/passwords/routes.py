"""The routes of passwords. They translate; the services decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from api.auth.bodies import DoneView
from api.auth.caching import keep_out_of_caches
from api.auth.client import client_of
from api.auth.guard import SurelySignedIn
from api.auth.mail_links.requesting import MailRequests
from api.auth.passwords.bodies import ChangeBody, ForgotBody, ResetBody
from api.auth.passwords.changing import NewPassword, PasswordChange
from api.auth.passwords.resetting import PasswordReset
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.classes import ClassName
from api.throttle.limited import limited
from contracts.errors import ErrorCode


@dataclass(frozen=True)
class PasswordRoutes:
    """The routes' handlers, over their services."""

    changing: PasswordChange
    resetting: PasswordReset
    requests: MailRequests

    def router(self) -> APIRouter:
        """The routes below ``/auth/password``."""
        router = APIRouter(prefix=f"{BASE}/auth/password", tags=["passwords"])

        def post(path: str, handler: Any, *codes: ErrorCode, limit: ClassName) -> None:
            router.add_api_route(
                path,
                handler,
                methods=["POST"],
                responses=answers("payload_too_large", "invalid_request", *codes),
                dependencies=[limited(limit)],
            )

        post("/change", self.change_password, "unauthorized", "forbidden", limit="credentials")
        post("/forgot", self.forgot_password, limit="mail")
        post("/reset", self.reset_password, limit="link")
        return router

    async def change_password(
        self, claims: SurelySignedIn, body: ChangeBody, request: Request, response: Response
    ) -> DoneView:
        """Replaces the password; all other sessions end, and your keys are revoked. A wrong current password is
        `forbidden`."""
        keep_out_of_caches(response)
        await self.changing.change(claims, NewPassword(body.current_password, body.new_password), client_of(request))
        return DoneView()

    async def forgot_password(self, body: ForgotBody, response: Response) -> DoneView:
        """Sends whoever has the address a link for a new password. The answer does not tell whether anybody has."""
        keep_out_of_caches(response)
        await self.requests.request("reset_requested", body.email)
        return DoneView()

    async def reset_password(self, body: ResetBody, request: Request, response: Response) -> DoneView:
        """Sets a new password with the token of such a link; all sessions end, keys are revoked, no session begins."""
        keep_out_of_caches(response)
        await self.resetting.reset(body.token, body.new_password, client_of(request))
        return DoneView()
