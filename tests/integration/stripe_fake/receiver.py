"""An endpoint for webhooks, as a seller would have it: it checks signatures with Stripe's own library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import stripe


@dataclass
class Receiver:
    """What arrived, and what is answered to it."""

    url: str = ""
    answers: list[int] = field(default_factory=list[int])
    """Statuses of the next answers; 200 after them."""
    bodies: list[bytes] = field(default_factory=list[bytes])
    signatures: list[str] = field(default_factory=list[str])
    _serving: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, number: int) -> list[bytes]:
        """Waits until so many have arrived."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: len(self.bodies) >= number)
        return self.bodies

    def events(self, secret: str) -> list[Any]:
        """All that arrived, each signature checked."""
        pairs = zip(self.bodies, self.signatures, strict=True)
        return [stripe.Webhook.construct_event(body, signature, secret) for body, signature in pairs]

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection has come."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def leave(self) -> None:
        """Ends the connections that the other side keeps."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as many requests as come."""
        try:
            while head := (await _head(reader)):
                lines = head.decode().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers["content-length"]))
                async with self._changed:
                    self.bodies.append(body)
                    self.signatures.append(headers["stripe-signature"])
                    self._changed.notify_all()
                status = self.answers.pop(0) if self.answers else 200
                writer.write(f"HTTP/1.1 {status} Told\r\nContent-Length: 2\r\n\r\nok".encode())
                await writer.drain()
        finally:
            writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Up to the empty line; nothing where the other side has closed."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return b""


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    """A receiver that listens until the block ends."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.connected, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks/stripe"
    try:
        yield receiver
    finally:
        server.close()
        await receiver.leave()
