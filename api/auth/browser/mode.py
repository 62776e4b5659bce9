"""How a client holds its session: tokens of its own, or a browser's cookie, asked for by a header with each request.

No form can send that header, and no page of another origin without asking first.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, Final

from fastapi import Request

from api.auth.browser import csrf
from api.errors import Refusal, refuse, refuse_field

HEADER: Final = "X-Mana-Session"
REFRESH_COOKIE: Final = "__Host-mana_refresh"
_COOKIE_MODE: Final = "cookie"
DOCUMENTED: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "description": "`cookie`: the refresh token is in a cookie, for pages of our own origins.",
            "schema": {"type": "string", "enum": [_COOKIE_MODE]},
        }
    ]
}
"""What OpenAPI says of a route that knows cookie mode."""


class Mode(Enum):
    """Where the refresh token is: in the bodies, or in a cookie."""

    TOKENS = "tokens"
    COOKIE = "cookie"


def mode_of(request: Request) -> Mode:
    """The mode that a request asks for, once ``Browsers.check`` has let it pass."""
    return Mode.COOKIE if HEADER in request.headers else Mode.TOKENS


def not_ours() -> Refusal:
    """The one answer to whatever another's page may have sent."""
    return refuse("forbidden", f"a cookie counts only with {HEADER}: {_COOKIE_MODE}, from a page of ours, with JSON")


class Browsers:
    """Keeps pages of others away from the cookie; ``origins`` are those of our own pages."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._ours = csrf.trusted(origins)

    async def check(self, request: Request) -> None:
        """A route's dependency: it comes before the body is judged.

        Raises ``Refusal``: ``invalid_request`` for a mode that there is not; ``forbidden`` in cookie mode for another's
        page, for one that does not say whose it is, and for a body that is not JSON. Where the cookie comes without the
        header, that is so of the body too.
        """
        asked = request.headers.getlist(HEADER)
        if asked not in ([], [_COOKIE_MODE]):
            raise refuse_field(HEADER, f"must be {_COOKIE_MODE}, or not be there")
        if asked and not csrf.may_use_cookie(_sender(request), self._ours):
            raise not_ours()
        if (asked or REFRESH_COOKIE in request.cookies) and not _is_json_or_nothing(request):
            raise not_ours()


def _sender(request: Request) -> csrf.Sender:
    return csrf.Sender(request.headers.getlist("sec-fetch-site"), request.headers.getlist("origin"))


def _is_json_or_nothing(request: Request) -> bool:
    """A page of another origin sends a body of this type only after asking."""
    kinds = request.headers.getlist("content-type")
    if not kinds:
        return request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    return len(kinds) == 1 and kinds[0].partition(";")[0].strip().lower() == "application/json"
