"""Which pages of other origins may call us from a browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from api.errors import problem
from contracts.errors import Error


class _Origins(CORSMiddleware):
    """The framework's, whose refusals are problem documents here too."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to what a browser asks before it sends a page's request."""
        response = super().preflight_response(request_headers)
        if response.status_code == HTTPStatus.OK:
            return response
        kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return problem(Error("forbidden", "pages of that origin may not send this"), kept)


def layer(origins: Sequence[str]) -> Callable[[ASGIApp], ASGIApp]:
    """Lets pages of exactly these call, with a token or with the cookies of their user's session; without any, nothing
    is put around. What a request with cookies may do is decided where they are read."""

    def around(app: ASGIApp) -> ASGIApp:
        if not origins:
            return app
        return _Origins(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "Prefer",
                "X-Mana-Session",
                "X-Request-Id",
            ],
            allow_credentials=True,
            expose_headers=["Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"],
        )

    return around
