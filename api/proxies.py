"""The layer that tells all within who a request's client is, where proxies of ours stand before us."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api import client_address
from api.client_address import Network


class Proxies:
    """Writes the client's address where the peer's was (``scope["client"]``, ``request.client``)."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "http" and scope.get("client"):
            host, port = scope["client"]
            forwarded = Headers(scope=scope).getlist("x-forwarded-for")
            address = client_address.of_request(host, forwarded, self._trusted)
            scope["client"] = (host if address is None else str(address), port)
        await self._app(scope, receive, send)
