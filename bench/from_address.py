"""HTTP from a loopback address of one's choosing: what the front takes for another client each time."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from bench.errors import BenchError

BASE: Final = "/api/v1"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """A status, and what came with it."""

    status: int
    body: Any


class FromAddress:
    """One connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, address: str) -> AsyncGenerator[FromAddress]:
        """To the front at ``url``."""
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port, local_addr=(address, 0))
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def post(self, path: str, body: Mapping[str, str]) -> Answer:
        """Posts JSON below the interface's base path. Raises ``BenchError`` for an answer without a length."""
        content = json.dumps(body).encode()
        head = (
            f"POST {BASE}{path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self._writer.write(head.encode() + content)
        told = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(told)
        if length is None:
            raise BenchError(f"The front answered {path} with no length: {told[:300]!r}")
        answered = await self._reader.readexactly(int(length[1]))
        return Answer(int(told.split(b" ", 2)[1]), json.loads(answered))
