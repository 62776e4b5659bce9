"""The bounds on a request's body: told by its length before it is read, or found while it comes in chunks.

The framework has such a limit of its own, which answers in plain text; ours is a problem document.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from api.paths import BASE, WEBHOOKS
from contracts.errors import Error
from contracts.stripe import EVENT_BYTES_MAX

BODY_BYTES_MAX: Final = 64 * 1024
SMALL_BODY_BYTES_MAX: Final = 16 * 1024
"""Of sign-in and administration, whose bodies are a few fields: some of them are hashed."""
_SMALL: Final = (f"{BASE}/auth/", f"{BASE}/admin/")


class BodyLimit:
    """Refuses larger bodies with 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = _most(scope["path"])
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length[:20]) > most:
            await problem(Error("payload_too_large", f"a body has at most {most} bytes here"))(scope, receive, send)
            return
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                # Of the framework's own kind, because it lets no other pass while it reads a body.
                raise HTTPException(413)
            return message

        await self._app(scope, bounded, send)


def _most(path: str) -> int:
    if path.startswith(_SMALL):
        return SMALL_BODY_BYTES_MAX
    return EVENT_BYTES_MAX if path.startswith(WEBHOOKS) else BODY_BYTES_MAX
