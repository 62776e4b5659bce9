"""Whose answers count."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator

import pytest

from ops import probes


@pytest.fixture
async def server() -> AsyncGenerator[int]:
    """Lets one login in, and speaks no language but HTTP; its port."""
    known = b"Basic " + base64.b64encode(b"boss:secret")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if known in question else b"HTTP/1.1 401 Unauthorized\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as listening:
        yield listening.sockets[0].getsockname()[1]


async def test_a_server_that_does_not_know_the_login_is_not_ours(server: int) -> None:
    url = f"http://127.0.0.1:{server}/api/whoami"
    assert await probes.http(url, ("boss", "secret"))()
    assert not await probes.http(url, ("boss", "another"))()
    assert not await probes.http(url)()
