"""A stop: announced first; no connection is taken once the time to linger is over, and open ones lose no request."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time

import httpx
import pytest
from starlette.responses import PlainTextResponse

from api import serving
from api.serving import Farewell, serve

ASK = b"GET / HTTP/1.1\r\nHost: front\r\n\r\n"


@pytest.mark.parametrize("linger", [0.0, 0.4])
async def test_a_stop_is_announced_and_then_waits_for_its_time(linger: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PATIENCE_SECONDS", 0.0)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    told = asyncio.get_running_loop().create_future()
    impatient = asyncio.Event()
    farewell = Farewell(lambda: told.set_result(time.monotonic()), linger, impatient.set)
    running = asyncio.create_task(serve(PlainTextResponse("served"), [listening], farewell))
    async with asyncio.timeout(10), httpx.AsyncClient() as http:
        assert (await http.get(url)).text == "served"  # its signals are caught by now
        os.kill(os.getpid(), signal.SIGTERM)
        announced = await told
        await running
        assert time.monotonic() - announced >= linger
        await impatient.wait()
        with pytest.raises(httpx.ConnectError):
            await http.get(url)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(2) == b"ok"
    return head


async def _refused(port: int) -> None:
    """Until nobody listens there any more."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # it was taken into the queue of a socket that was closed then, before it was accepted
            writer.close()
            await asyncio.sleep(0.005)


async def test_an_open_connection_is_answered_once_more_and_told_to_close() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    serving = asyncio.create_task(serve(PlainTextResponse("ok"), [listening]))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ASK)
    assert b"connection: close" not in await _answer(reader)
    os.kill(os.getpid(), signal.SIGTERM)
    await _refused(port)
    writer.write(ASK)
    assert b"connection: close" in await _answer(reader)
    assert await reader.read() == b""
    writer.close()
    async with asyncio.timeout(20):
        await serving
