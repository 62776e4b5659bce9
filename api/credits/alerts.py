"""Below how many credits a user wants apps to be told: read from the account, and changed by a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import uuid_utils
from fastapi import APIRouter, Request, Response
from pydantic import Field

from api.auth.bodies import Body
from api.auth.guard import SignedIn
from api.broker.commands import OutgoingCommand
from api.credits.documented import pending, result
from api.credits.spending import Spending, wait_seconds
from api.credits.store import CreditsStore
from api.credits.views import Alert
from api.errors import refuse
from api.paths import BASE
from api.problems_documented import answers
from contracts.commands import SetThreshold
from contracts.fields import AMOUNT_MAX
from contracts.replies import as_json

_OK: Final = 200


class AlertBody(Body):
    """Body of ``PUT /credits/alert``; ``null`` switches it off."""

    below: Annotated[int, Field(strict=True, ge=1, le=AMOUNT_MAX)] | None


@dataclass(frozen=True)
class AlertRoutes:
    """The routes' handlers."""

    store: CreditsStore
    spending: Spending

    def router(self) -> APIRouter:
        """Below ``/credits``."""
        router = APIRouter(prefix=f"{BASE}/credits", tags=["credits"])

        def add(method: str, handler: Any, responses: dict[int | str, dict[str, Any]]) -> None:
            router.add_api_route("/alert", handler, methods=[method], responses=result(Alert) | responses)

        add("GET", self.get_alert, answers("unauthorized", "unknown_user"))
        refusals = answers("unauthorized", "unknown_user", "invalid_request", "payload_too_large", "overloaded")
        add("PUT", self.put_alert, pending() | refusals)
        return router

    async def get_alert(self, claims: SignedIn) -> Response:
        """Below how many credits, paid and free together, the event `credits.low` tells apps of it; `null`: never."""
        alert = await self.store.alert(claims.user_id)
        if alert is None:
            raise refuse("unknown_user", "the account is not open yet")
        return _json(alert)

    async def put_alert(self, claims: SignedIn, body: AlertBody, request: Request) -> Response:
        """Sets it, or with `null` switches it off; 202 says where to look when the answer did not come in time."""
        key = str(uuid_utils.uuid7())
        command = SetThreshold(user_id=claims.sub, idempotency_key=key, below=body.below)
        outgoing = OutgoingCommand(command.type, claims.sub, as_json(command))
        wait = wait_seconds(", ".join(request.headers.getlist("prefer")))
        answered = await self.spending.send(outgoing, key, wait, claims.session_id)
        return _json(Alert(body.below)) if answered.status_code == _OK else answered


def _json(alert: Alert) -> Response:
    return Response(msgspec.json.encode(alert), media_type="application/json", headers={"cache-control": "no-store"})
