"""A stop: announced first, and no connection is taken once the time to linger is over."""

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
