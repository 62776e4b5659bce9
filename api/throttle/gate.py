"""The layer that counts every request of the interface, and tells clients what is left to them."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import client_address
from api.errors import Refusal, Unavailable, problem
from api.paths import BASE, WEBHOOKS
from api.throttle import told
from api.throttle.charging import charge, fields
from api.throttle.limiter import Charge
from api.throttle.throttle import Throttle
from contracts.errors import Error

_COUNTED: Final = f"{BASE}/"


class Gate:
    """Charges each client's address in the class ``general``. Probes, metrics and documents at the root are free, and
    so are webhooks: their senders send again what was refused, and are not to be kept waiting."""

    def __init__(self, app: ASGIApp, throttle: Throttle) -> None:
        self._app = app
        self._limiter = throttle.limiter
        self._general = throttle.classes["general"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or not _is_counted(scope["path"]):
            await self._app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else None
        try:
            verdict = await charge(self._limiter, Charge(self._general, client_address.bucket(address)))
        except Refusal as refusal:
            await problem(refusal.error, refusal.headers)(scope, receive, send)
            return
        except Unavailable as error:
            await problem(Error("overloaded", str(error)))(scope, receive, send)
            return
        told.note(scope, verdict)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                _tell(message, scope)
            await send(message)

        await self._app(scope, receive, answer)


def _is_counted(path: str) -> bool:
    return path.startswith(_COUNTED) and not path.startswith(WEBHOOKS)


def _tell(message: Message, scope: Scope) -> None:
    """A refusal within has told of its own limit already."""
    headers, verdict = MutableHeaders(scope=message), told.tightest(scope)
    if verdict is not None:
        for name, value in fields(verdict).items():
            headers.setdefault(name, value)
