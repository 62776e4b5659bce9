"""Which pages of other origins may call us from a browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp


def layer(origins: Sequence[str]) -> Callable[[ASGIApp], ASGIApp]:
    """Lets pages of exactly these call, with a token or with the cookies of their user's session; without any, nothing
    is put around. What a request with cookies may do is decided where they are read."""

    def around(app: ASGIApp) -> ASGIApp:
        if not origins:
            return app
        return CORSMiddleware(
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
