"""The pages that payers come back to from Stripe, where no app has its own. They say the same to everybody, and load
and run nothing."""

from __future__ import annotations

import base64
import hashlib
from string import Template
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from api.payments.session_params import CANCEL_PATH, SUCCESS_PATH

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;color:#222;background:#f6f6f6}"
    "main{max-width:26rem;margin:10vh auto 0;padding:1.5rem 2rem;background:#fff;border-radius:8px}h1{font-size:1.3rem}"
)
_LAYOUT: Final = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Mana</title>
<style>$style</style>
<main>
<h1>$title</h1>
<p>$english</p>
<p lang="de">$german</p>
</main>
</html>
""")
_SOURCE: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_SOURCE}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def router() -> APIRouter:
    """The pages, at the root."""
    router = APIRouter(include_in_schema=False)
    success = _Page(
        "Thank you",
        "The credits are in your account as soon as the payment has arrived. You may close this page.",
        "Die Credits sind auf dem Konto, sobald die Zahlung eingegangen ist. Diese Seite kann geschlossen werden.",
    )
    cancelled = _Page(
        "Not paid",
        "Nothing was bought. You may close this page.",
        "Es wurde nichts gekauft. Diese Seite kann geschlossen werden.",
    )
    for path, page in ((SUCCESS_PATH, success), (CANCEL_PATH, cancelled)):
        router.add_api_route(path, page.answer, methods=["GET", "HEAD"])
    return router


class _Page:
    def __init__(self, title: str, english: str, german: str) -> None:
        self._content = _LAYOUT.substitute(style=_STYLE, title=title, english=english, german=german).encode()

    async def answer(self) -> Response:
        """The same for everybody."""
        return Response(self._content, media_type="text/html; charset=utf-8", headers=_HEADERS)
