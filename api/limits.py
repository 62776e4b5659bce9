"""The bound on a request's body: told by its length before it is read, or found while it comes in chunks.

The framework has such a limit of its own, which answers in plain text; ours is a problem document.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from contracts.errors import Error

BODY_BYTES_MAX: Final = 64 * 1024


class BodyLimit:
    """Refuses larger bodies with 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        length = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if length.isdecimal() and int(length[:20]) > BODY_BYTES_MAX:
            refusal = problem(Error("payload_too_large", f"a body has at most {BODY_BYTES_MAX} bytes"))
            await refusal(scope, receive, send)
            return
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_BYTES_MAX:
                # Of the framework's own kind, because it lets no other pass while it reads a body.
                raise HTTPException(413)
            return message

        await self._app(scope, bounded, send)
