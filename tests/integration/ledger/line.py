"""A line to the database that can be cut where it hurts: before a COMMIT arrives, or before its answer comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The frame that asks for it (PostgreSQL's protocol: simple query)."""

Fault = Literal["none", "cut before", "cut after", "silent"]


class Line:
    """Passes bytes both ways; ``fault`` says what becomes of the next COMMIT."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._tasks: set[asyncio.Task[None]] = set()
        self.fault: Fault = "none"
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncGenerator[Line]:
        """A line to the database at ``url``; its own address is ``line.url``."""
        line = cls(url)
        listening = await asyncio.start_server(line._take, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        login = f"{line._target.username}:{line._target.password}"
        line.url = urlunsplit(line._target._replace(netloc=f"{login}@127.0.0.1:{port}"))
        try:
            yield line
        finally:
            listening.close()
            for task in line._tasks:
                task.cancel()
            await asyncio.gather(*line._tasks, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        answers = asyncio.create_task(self._answer(there, writer))
        try:
            await self._ask(reader, back)
        finally:
            answers.cancel()
            back.close()
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if _COMMIT in data and self.fault == "cut before":
                return
            back.write(data)

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await there.read(65_536):
            if b"COMMIT\x00" in data and self.fault == "cut after":
                writer.transport.abort()
                return
            if self.fault != "silent":
                writer.write(data)
        writer.close()
