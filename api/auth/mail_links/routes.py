"""The routes of addresses and their links. They translate; the services decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from api.auth.bodies import DoneView
from api.auth.caching import keep_out_of_caches
from api.auth.client import client_of
from api.auth.guard import Guard, SurelySignedIn
from api.auth.mail_links.bodies import AddressBody, LinkBody
from api.auth.mail_links.moving import AddressChange
from api.auth.mail_links.requesting import MailRequests
from api.auth.mail_links.verifying import Verification
from api.auth.tokens import Claims
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.classes import ClassName
from api.throttle.limited import limited
from contracts.errors import ErrorCode


@dataclass(frozen=True)
class AddressRoutes:
    """The routes' handlers, over their services."""

    verification: Verification
    requests: MailRequests
    change: AddressChange

    def router(self) -> APIRouter:
        """The routes below ``/auth/email``."""
        router = APIRouter(prefix=f"{BASE}/auth/email", tags=["e-mail addresses"])

        def post(path: str, handler: Any, *codes: ErrorCode, limits: tuple[ClassName, ...]) -> None:
            router.add_api_route(
                path,
                handler,
                methods=["POST"],
                responses=answers("payload_too_large", "invalid_request", *codes),
                dependencies=[limited(each) for each in limits],
            )

        post("/verify", self.verify_email, limits=("link",))
        post("/verify/resend", self.resend_verification, limits=("mail",))
        post("/change", self.change_email, "unauthorized", "forbidden", limits=("mail", "credentials"))
        post("/change/confirm", self.confirm_email_change, "unauthorized", limits=("link",))
        return router

    async def verify_email(self, body: LinkBody, request: Request, response: Response) -> DoneView:
        """Proves the user's address with the token of a link in a mail to it."""
        keep_out_of_caches(response)
        await self.verification.verify(body.token, client_of(request))
        return DoneView()

    async def resend_verification(self, body: AddressBody, response: Response) -> DoneView:
        """Sends such a link again. The answer does not tell whether anybody has the address, or has proven it."""
        keep_out_of_caches(response)
        await self.requests.request("verify_requested", body.email)
        return DoneView()

    async def change_email(self, claims: SurelySignedIn, body: AddressBody, response: Response) -> DoneView:
        """Sends the new address a link that moves the user there; needs a recent sign-in. The answer does not tell
        whether somebody else has that address."""
        keep_out_of_caches(response)
        await self.change.ask(claims, body.email)
        return DoneView()

    async def confirm_email_change(self, body: LinkBody, request: Request, response: Response) -> DoneView:
        """Moves the user with the token of such a link. All sessions end, except the one whose access token the request
        carries, if it carries one."""
        keep_out_of_caches(response)
        await self.change.confirm(body.token, client_of(request), await _claims(request))
        return DoneView()


async def _claims(request: Request) -> Claims | None:
    """Who asks, where the request says so. Raises ``Refusal`` (``unauthorized``) for a token that is not good."""
    guard: Guard = request.app.state.guard
    return await guard.admit_surely(request) if "authorization" in request.headers else None
