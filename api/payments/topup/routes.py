"""The routes of automatic top-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import Field

from api.auth.bodies import Body
from api.auth.client import client_of
from api.auth.guard import SignedIn, SurelySignedIn
from api.paths import BASE
from api.payments.documented import result
from api.payments.topup.model import Topup, Wish
from api.payments.topup.switching import Switching
from api.problems_documented import answers
from api.text import PlainText
from api.throttle.limited import limited
from contracts.errors import ErrorCode

_ENCODER: Final = msgspec.json.Encoder()
_BELOW_MAX: Final = 1_000_000_000
_PER_MONTH_MAX: Final = 100


class TopupBody(Body):
    """Body of ``PUT /credits/topup``: below so many credits, free ones included, the package is bought, at most so
    often in a month of UTC."""

    below: Annotated[int, Field(ge=1, le=_BELOW_MAX)]
    package_id: Annotated[PlainText, Field(min_length=1, max_length=200)]
    max_per_month: Annotated[int, Field(ge=1, le=_PER_MONTH_MAX)]

    def wish(self) -> Wish:
        """What is asked for."""
        return Wish(self.below, self.package_id, self.max_per_month)


@dataclass(frozen=True)
class TopupRoutes:
    """The routes' handlers."""

    switching: Switching

    def router(self) -> APIRouter:
        """Below ``/credits``."""
        router = APIRouter(prefix=f"{BASE}/credits", tags=["credits"])

        def add(method: str, handler: Any, *codes: ErrorCode, **more: Any) -> None:
            responses = result(200, "As it stands", Topup) | answers("unauthorized", *codes)
            router.add_api_route("/topup", handler, methods=[method], responses=responses, **more)

        add("GET", self.get_topup)
        add(
            "PUT",
            self.put_topup,
            *("invalid_request", "payload_too_large", "payments_disabled"),
            dependencies=[limited("purchases")],
        )
        add("DELETE", self.delete_topup)
        return router

    async def get_topup(self, claims: SignedIn) -> Response:
        """Whether credits that run low are bought anew, and how."""
        return _json(await self.switching.get(claims))

    async def put_topup(self, claims: SurelySignedIn, body: TopupBody, request: Request) -> Response:
        """Switches top-up on, or on again, to be paid with the payment method that was saved last: by a purchase with
        `savePaymentMethod`."""
        return _json(await self.switching.switch_on(claims, body.wish(), client_of(request)))

    async def delete_topup(self, claims: SurelySignedIn, request: Request) -> Response:
        """Switches top-up off. A payment that is under way goes on."""
        return _json(await self.switching.switch_off(claims, client_of(request)))


def _json(topup: Topup) -> Response:
    return Response(_ENCODER.encode(topup), media_type="application/json", headers={"cache-control": "no-store"})
