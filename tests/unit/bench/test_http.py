"""Load over HTTP, against a server that the test plays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count, repeat

import pytest

from bench.errors import BenchError
from bench.http import HttpLoad, HttpLoop, request


def _answer(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def _server(answer: bytes, seen: list[bytes]) -> AsyncGenerator[str]:
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
                seen.append(head + await reader.readexactly(length))
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return  # the client has gone

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def test_every_connection_has_one_request_under_way_and_all_are_answered() -> None:
    seen: list[bytes] = []
    requests = (request("POST", "/use", "token", b'{"n":%d}' % number) for number in count())
    async with _server(_answer("200 OK", b'{"ok":true}'), seen) as url:
        looks: list[int] = []
        loop = HttpLoop(HttpLoad(4, requests, seconds=1.0, warm_up=0.05))
        measured = await loop.measure(url, lambda: looks.append(len(seen)))
    assert len(looks) == 2
    assert measured.answered == len(seen) >= measured.commands > 10
    assert measured.p50 is not None
    assert measured.p99 is not None
    assert 0 < measured.p50 <= measured.p99
    assert b"Authorization: Bearer token" in seen[0]
    assert seen[0].endswith(b'{"n":0}')


async def test_a_request_may_depend_on_an_answer_before() -> None:
    answers = list[bytes]()

    def requests() -> Iterator[bytes]:
        yield from repeat(request("GET", "/first"), 2)
        while True:
            yield request("POST", "/next", body=answers.pop())

    seen: list[bytes] = []
    async with _server(_answer("200 OK", b"told"), seen) as url:
        loop = HttpLoop(HttpLoad(2, requests(), seconds=0.1, warm_up=0.05, on_answer=answers.append))
        measured = await loop.measure(url, lambda: None)
    assert measured.answered == len(seen) > 4
    assert [sent.rpartition(b"\r\n\r\n")[2] for sent in seen[:4]] == [b"", b"", b"told", b"told"]


async def test_requests_at_a_rate_are_as_many_as_were_due_and_wait_for_a_free_connection() -> None:
    seen: list[bytes] = []
    async with _server(_answer("200 OK", b""), seen) as url:
        load = HttpLoad(4, repeat(request("GET", "/")), seconds=0.3, warm_up=0.1, per_second=100)
        began = time.perf_counter()
        measured = await HttpLoop(load).measure(url, lambda: None)
        assert 4 <= measured.answered == len(seen) <= 1 + 100 * (time.perf_counter() - began)
        unable = replace(load, connections=1, per_second=1_000_000)
        late = await HttpLoop(unable).measure(url, lambda: None)
    assert late.p50 is not None
    assert late.p50 > 90, "latencies count from when a request was due"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_answer("402 Payment Required", b'{"code":"insufficient_credits"}'), "402: .*insufficient_credits"),
        (b"nonsense\r\n\r\n", "no HTTP"),
    ],
)
async def test_any_other_answer_ends_the_measurement(answer: bytes, said: str) -> None:
    async with _server(answer, []) as url:
        loop = HttpLoop(HttpLoad(1, repeat(request("GET", "/")), seconds=5, warm_up=5))
        with pytest.raises(BenchError, match=said):
            await loop.measure(url, lambda: None)
