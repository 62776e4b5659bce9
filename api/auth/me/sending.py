"""An export on its way: sent while it is read, for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

SECONDS_MAX: Final = 300
"""A client that reads too slowly is cut off: a page waits for it in memory."""


class ExportResponse(Response):
    """The pieces as one JSON file. What fails before the first piece is answered as usual; what fails later breaks the
    answer off, which no client can take for a whole one."""

    media_type = "application/json"

    def __init__(self, pieces: AsyncGenerator[bytes]) -> None:
        super().__init__(
            headers={"cache-control": "no-store", "content-disposition": 'attachment; filename="mana-export.json"'}
        )
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it, to its end or until the client is gone."""
        request = Request(scope, receive)
        async with asyncio.timeout(SECONDS_MAX), aclosing(self._pieces) as pieces:
            first = await anext(pieces)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send(_body(first))
            async for piece in pieces:
                if await request.is_disconnected():
                    return
                await send(_body(piece))
        await send({"type": "http.response.body"})


def _body(piece: bytes) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": True}
