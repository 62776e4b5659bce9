"""The route of Stripe's webhook. It decides nothing: what is proved to be Stripe's goes to the queue as it came.

200 means that the broker has it for good. Whatever else is answered, Stripe sends it again, for days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.auth.client import client_of
from api.broker.commands import NoAnswer, Notice, Put
from api.clock import Clock
from api.errors import Unavailable, problem, refuse
from api.paths import WEBHOOKS
from api.problems_documented import answers, of_status
from api.webhooks import event
from api.webhooks.metrics import WebhookMetrics
from api.webhooks.refusals import Reason, Refusals
from api.webhooks.signature import TOLERANCE_SECONDS, Header, flaw_in, read
from contracts.errors import invalid_field
from contracts.topology import STRIPE_EXCHANGE

_HEADER: Final = "Stripe-Signature"
_JSON: Final = "application/json"
_IN_WORDS: Final[dict[Reason, tuple[str, str]]] = {
    "header": (_HEADER, "is missing, or is not written like t=TIME,v1=SIGNATURE"),
    "encoding": ("body", "is not UTF-8"),
    "forged": (_HEADER, "was not made over this body with a secret of this endpoint"),
    "stale": (_HEADER, f"was made more than {TOLERANCE_SECONDS} s ago"),
    "ahead": (_HEADER, f"was made more than {TOLERANCE_SECONDS} s from now, by our clock"),
    "malformed": ("body", "is no JSON object with an id that begins with evt_ and a type"),
}
_RECEIVED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "OK: the event is queued, and will be worked off",
        "content": {
            _JSON: {
                "schema": {
                    "type": "object",
                    "required": ["received"],
                    "properties": {"received": {"type": "boolean", "const": True}},
                }
            }
        },
    }
}
_SIGNATURE: Final = {
    "name": _HEADER,
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
    "description": "made by Stripe over the raw body, with the endpoint's secret",
}


@dataclass(frozen=True)
class WebhookRoutes:
    """The route's handler. Without ``secrets`` nothing is heard."""

    secrets: Sequence[str]
    clock: Clock
    put: Put
    refusals: Refusals
    metrics: WebhookMetrics

    def router(self) -> APIRouter:
        """The routes below ``/webhooks``."""
        router = APIRouter(tags=["webhooks"])
        router.add_api_route(
            f"{WEBHOOKS}stripe",
            self.take_stripe_event,
            methods=["POST"],
            responses=_RECEIVED
            | of_status(HTTPStatus.BAD_REQUEST, "invalid_request")
            | answers("payload_too_large", "payments_disabled", limited=False),
            openapi_extra={
                "requestBody": {"required": True, "content": {_JSON: {"schema": event.SCHEMA}}},
                "parameters": [_SIGNATURE],
            },
        )
        return router

    async def take_stripe_event(self, request: Request) -> Response:
        """Takes an event of Stripe. It is answered 200 once it is queued for good; what that changes, happens later."""
        if not self.secrets:
            self.metrics.count("disabled")
            raise refuse("payments_disabled", "nothing that Stripe tells is heard here")
        with self.metrics.timed("request"):
            header = _signature_of(request)
            if header is None:  # before a byte of the body is waited for
                return await self._refuse("header", request)
            body = await request.body()
            with self.metrics.timed("signature"):
                flaw = flaw_in(body, header, self.secrets, self.clock())
            if flaw is not None:
                return await self._refuse(flaw, request)
            event_id = event.id_of(body)
            if event_id is None:
                return await self._refuse("malformed", request)
            await self._queue(Notice("stripe.event", STRIPE_EXCHANGE, body, event_id))
            return Response(b'{"received":true}', media_type=_JSON, headers={"cache-control": "no-store"})

    async def _refuse(self, reason: Reason, request: Request) -> Response:
        self.metrics.count(reason)
        await self.refusals.note(reason, client_of(request))
        return problem(invalid_field(*_IN_WORDS[reason]), status=HTTPStatus.BAD_REQUEST)

    async def _queue(self, notice: Notice) -> None:
        """Raises ``Unavailable``."""
        try:
            with self.metrics.timed("confirm"):
                await self.put(notice)
        except NoAnswer as error:
            self.metrics.count("overloaded")
            raise Unavailable("rabbitmq", "the broker has not confirmed the event") from error
        except Unavailable:
            self.metrics.count("overloaded")
            raise
        self.metrics.count("queued")


def _signature_of(request: Request) -> Header | None:
    """Several fields of that name are none: nobody could say which one counts."""
    fields = request.headers.getlist(_HEADER)
    return read(fields[0]) if len(fields) == 1 else None
