"""The pages that links in mails lead to, where no app has its own.

A link's token stands behind ``#``: no server, log or referrer ever sees it. To open a page changes nothing, so that a
mail scanner may; the token is sent when somebody presses the button. A page loads nothing, and runs its own script
only.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

_FOLDER: Final = Path(__file__).parent / "pages"
_PATHS: Final = ("verify-email", "reset-password", "confirm-email")


def router() -> APIRouter:
    """The pages, at the root."""
    router = APIRouter(include_in_schema=False)
    for path in _PATHS:
        router.add_api_route(f"/{path}", _Page(path).answer, methods=["GET", "HEAD"])
    return router


class _Page:
    def __init__(self, path: str) -> None:
        style, script, layout, form = (
            (_FOLDER / name).read_text(encoding="utf-8")
            for name in ("page.css", "page.js", "layout.html", f"{path}.html")
        )
        self._content = Template(layout).substitute(style=style, script=script, form=form).encode()
        self._headers = _headers(style, script)

    async def answer(self) -> Response:
        """The same for everybody."""
        return Response(self._content, media_type="text/html; charset=utf-8", headers=self._headers)


def _headers(style: str, script: str) -> Mapping[str, str]:
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }


def _source(text: str) -> str:
    """An inline style or script as a policy names it (CSP Level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
