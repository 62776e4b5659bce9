"""The proxy's faults really happen: each is seen from the outside, on a server that echoes."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.faults.tools.errors import ToolError
from tests.faults.tools.proxy import Proxy
from tests.faults.tools.steps import Step

_SILENCE = 0.3
"""Seconds after which nothing that could come is counted as silence."""


@dataclass
class Echo:
    """Says back what it hears. ``endings``: how its connections ended, as the server saw it."""

    port: int = 0
    endings: asyncio.Queue[str] = field(default_factory=asyncio.Queue[str])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
            await self.endings.put("fin")
        except ConnectionResetError:
            await self.endings.put("rst")
        finally:
            writer.close()


@asynccontextmanager
async def _echo() -> AsyncGenerator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    async with server:
        yield echo


@pytest.fixture
async def echo() -> AsyncGenerator[Echo]:
    async with _echo() as server:
        yield server


@pytest.fixture
async def proxy(echo: Echo) -> AsyncGenerator[Proxy]:
    async with Proxy("127.0.0.1", echo.port) as standing:
        yield standing


class Caller:
    """A client of the echo, through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> bytes:
        """What comes back, as much as was said."""
        self.writer.write(data)
        return await self.reader.readexactly(len(data))

    async def is_silent(self) -> bool:
        try:
            async with asyncio.timeout(_SILENCE):
                return not await self.reader.read(1) and False
        except TimeoutError:
            return True


@asynccontextmanager
async def _caller(proxy: Proxy) -> AsyncGenerator[Caller]:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", proxy.port))
    try:
        assert await caller.say(b"hello") == b"hello"
        yield caller
    finally:
        caller.writer.close()


@pytest.fixture
async def caller(proxy: Proxy) -> AsyncGenerator[Caller]:
    async with _caller(proxy) as calling:
        yield calling


async def _seconds(caller: Caller, data: bytes) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await caller.say(data) == data
    return loop.time() - began


async def test_without_a_fault_all_bytes_pass_in_order(proxy: Proxy, caller: Caller) -> None:
    data = os.urandom(3_000_000)
    assert await caller.say(data) == data
    assert proxy.bytes("up") == proxy.bytes("down") == len(data) + len(b"hello")
    assert (proxy.accepted, proxy.connections) == (1, 1)


async def test_both_ends_of_a_cut_connection_are_reset(proxy: Proxy, echo: Echo, caller: Caller) -> None:
    assert await proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        await caller.reader.read()
    assert await echo.endings.get() == "rst"
    async with _caller(proxy):
        pass  # the next one is none the worse
    assert proxy.cuts == 1


async def test_one_end_is_cut_and_the_other_hears_nothing(proxy: Proxy, echo: Echo, caller: Caller) -> None:
    await proxy.cut("up")
    assert await echo.endings.get() == "rst"
    caller.writer.write(b"still there?")
    assert await caller.is_silent()
    await proxy.cut()
    with pytest.raises(ConnectionResetError):
        await caller.reader.read()


async def test_a_cut_without_a_connection_is_no_cut(proxy: Proxy) -> None:
    with pytest.raises(ToolError):
        await proxy.cut()
    with pytest.raises(ToolError):
        proxy.fin("up")


async def test_the_client_is_told_that_nothing_more_comes(proxy: Proxy, echo: Echo, caller: Caller) -> None:
    proxy.fin("down")
    assert await caller.reader.read() == b""
    caller.writer.write(b"half open")
    await caller.writer.drain()
    assert echo.endings.empty()
    caller.writer.close()
    assert await echo.endings.get() == "fin"


async def test_the_server_is_told_that_nothing_more_comes(proxy: Proxy, echo: Echo, caller: Caller) -> None:
    proxy.fin("up")
    assert await echo.endings.get() == "fin"
    assert await caller.reader.read() == b""


@pytest.mark.parametrize("direction", ["up", "down", None])
async def test_a_frozen_connection_is_silent_and_loses_nothing(proxy: Proxy, caller: Caller, direction: str) -> None:
    proxy.freeze(direction)  # pyright: ignore[reportArgumentType]
    caller.writer.write(b"one")
    assert await caller.is_silent()
    caller.writer.write(b"two")
    proxy.thaw()
    assert await caller.reader.readexactly(6) == b"onetwo"


async def test_a_delay_takes_its_time_and_keeps_the_order(proxy: Proxy, caller: Caller) -> None:
    proxy.delay(0.1, 0.05)
    assert await _seconds(caller, b"late") >= 0.1
    data = os.urandom(500_000)
    assert await _seconds(caller, data) >= 0.1
    proxy.delay(0.0)
    assert await caller.say(b"soon") == b"soon"


async def test_a_narrow_line_is_slow(proxy: Proxy, caller: Caller) -> None:
    proxy.bandwidth(1_000_000, "up")
    assert await _seconds(caller, os.urandom(400_000)) >= 0.3


async def test_slices_arrive_one_by_one(proxy: Proxy, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.tools.line._SLICE_SECONDS", 0.2)  # so that a late reader finds none joined
    proxy.slice(3, "down")
    caller.writer.write(b"abcdefgh")
    assert [await caller.reader.read(100) for _ in range(3)] == [b"abc", b"def", b"gh"]


@pytest.mark.parametrize("size", [0, 1, 4])
async def test_the_line_is_cut_behind_the_last_byte_that_may_pass(proxy: Proxy, caller: Caller, size: int) -> None:
    reached = proxy.limit(size, "down")
    caller.writer.write(b"abcdefgh")
    if size:
        assert await caller.reader.readexactly(size) == b"abcdefgh"[:size]
    with pytest.raises(ConnectionResetError):
        await caller.reader.read()
    assert reached.is_set()
    async with _caller(proxy) as other:
        assert await other.say(b"abcdefgh") == b"abcdefgh"


async def test_the_limit_begins_when_a_marker_has_gone_up(proxy: Proxy, caller: Caller) -> None:
    reached = proxy.limit_behind(b"COMMIT", 3)
    assert await caller.say(b"a longer text than the limit") == b"a longer text than the limit"
    assert not reached.is_set()
    caller.writer.write(b"COMMIT now")
    assert await caller.reader.readexactly(3) == b"COM"
    with pytest.raises(ConnectionResetError):
        await caller.reader.read()
    assert reached.is_set()
    async with _caller(proxy) as other:
        assert await other.say(b"COMMIT") == b"COMMIT"


def _frame(kind: int, payload: bytes) -> bytes:
    return kind.to_bytes(1, "big") + b"\0\1" + len(payload).to_bytes(4, "big") + payload + b"\xce"


_ACK = _frame(1, b"\0\x3c\0\x50" + b"\0" * 9)
_MESSAGE = _frame(1, b"\0\x3c\0\x28" + b"\0\0\0") + _frame(2, b"\0\x3c" + b"\0" * 12) + _frame(3, b"a body")


@pytest.mark.parametrize("part", [0.0, 0.5, 0.999])
async def test_the_line_is_cut_in_the_middle_of_a_step(proxy: Proxy, caller: Caller, part: float) -> None:
    step = Step((60, 40), part)
    proxy.cut_in(step, "down")
    assert await caller.say(_ACK) == _ACK
    assert not step.reached.is_set()
    caller.writer.write(_ACK + _MESSAGE + _ACK)
    passes = int(part * len(_MESSAGE))
    assert await caller.reader.readexactly(len(_ACK) + passes) == _ACK + _MESSAGE[:passes]
    with pytest.raises(ConnectionResetError):
        await caller.reader.read()
    assert step.reached.is_set()
    assert (step.size, step.length) == (passes, len(_MESSAGE))
    async with _caller(proxy) as other:
        assert await other.say(_MESSAGE) == _MESSAGE


async def test_a_step_is_told_apart_by_its_arguments(proxy: Proxy, caller: Caller) -> None:
    step = Step((60, 40), 0.5, b"\0\0\x01e")
    proxy.cut_in(step, "up")
    assert await caller.say(_MESSAGE) == _MESSAGE
    assert not step.reached.is_set()


async def test_nobody_answers_from_a_black_hole(proxy: Proxy, caller: Caller) -> None:
    await proxy.blackhole()
    caller.writer.write(b"x")
    assert await caller.is_silent()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.open_connection("127.0.0.1", proxy.port), _SILENCE)
    await proxy.restore()
    assert await caller.reader.readexactly(1) == b"x"
    async with _caller(proxy):
        assert proxy.connections == 2


async def test_down_is_reset_and_refused_until_it_is_over(proxy: Proxy, caller: Caller) -> None:
    async with proxy.down():
        with pytest.raises(ConnectionResetError):
            await caller.reader.read()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
    async with _caller(proxy):
        assert proxy.connections == 1


async def test_before_a_server_that_is_away_connections_are_closed() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with Proxy("127.0.0.1", nobody.getsockname()[1]) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            assert await reader.read() == b""
            writer.close()


def test_an_address_through_the_proxy_keeps_login_and_path() -> None:
    proxy = Proxy.before("postgresql://mana_worker:p%40ss@127.0.0.1:15432/mana_test")
    through = proxy.url("postgresql://mana_worker:p%40ss@127.0.0.1:15432/mana_test")
    assert through == f"postgresql://mana_worker:p%40ss@127.0.0.1:{proxy.port}/mana_test"
