"""Load over HTTP/1.1: connections that are kept open, each with one request under way at a time; a closed loop, or
requests that are due at a rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

from bench.course import Course, Measured
from bench.errors import BenchError

_OK: Final = 200


def _unread(_body: bytes) -> None:
    """For answers that no later request depends on."""


@dataclass(frozen=True)
class HttpLoad:
    """Whole requests as bytes, without end; seconds as in `bench.load.Pace`.

    ``on_answer`` is told each answer's body before the next request is taken. With ``per_second`` a request is sent
    when it is due, or once a connection is free, and its latency counts from when it was due.
    """

    connections: int
    requests: Iterator[bytes]
    seconds: float
    warm_up: float = 1.0
    on_answer: Callable[[bytes], None] = _unread
    per_second: float | None = None


def request(
    method: str, path: str, token: str | None = None, body: bytes = b"", fields: Mapping[str, str] | None = None
) -> bytes:
    """One request as bytes; ``path`` with everything behind the host, ``fields`` of the header besides the usual."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines.append("Content-Type: application/json")
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class HttpLoop:
    """Sends the load's requests; every answer must be 200."""

    def __init__(self, load: HttpLoad) -> None:
        self.course = Course()
        self.under_way = 0
        self._load = load
        self._due = 0.0

    async def measure(self, url: str, around: Callable[[], None]) -> Measured:
        """Warms up, measures, waits for the last answers; as `bench.load.ClosedLoop.measure`."""
        where, loop = urlsplit(url), asyncio.get_running_loop()
        host, port = where.hostname or "localhost", where.port or 80
        connections = [
            (await loop.create_connection(lambda: _Connection(self), host, port))[1]
            for _ in range(self._load.connections)
        ]
        try:
            self._due = time.perf_counter()
            for connection in connections:
                self._go_on(connection)
            return await self.course.run(self._load.warm_up, self._load.seconds, around)
        finally:
            await asyncio.gather(*(connection.close() for connection in connections))

    def answered(self, connection: _Connection, status: int, seconds: float, body: bytes) -> None:
        """A connection's: its answer is whole."""
        if status != _OK:
            self.course.fail(BenchError(f"The front answered {status}: {body[:300]!r}."))
            return
        self.course.answered(seconds)
        self._load.on_answer(body)
        if self.course.sending:
            self._go_on(connection)
        elif not self.under_way:
            self.course.came_to_rest()

    def _go_on(self, connection: _Connection) -> None:
        if self._load.per_second is None:
            connection.send(next(self._load.requests), time.perf_counter())
            return
        due, self._due = self._due, self._due + 1 / self._load.per_second
        asyncio.get_running_loop().call_later(max(0.0, due - time.perf_counter()), self._send_now, connection, due)

    def _send_now(self, connection: _Connection, due: float) -> None:
        if self.course.sending:
            connection.send(next(self._load.requests), due)
        elif not self.under_way:
            self.course.came_to_rest()


class _Connection(asyncio.Protocol):
    """One connection; httptools calls the ``on_`` methods while it parses."""

    def __init__(self, loop: HttpLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._due = 0.0
        self._body = b""
        self._closing = False
        self._closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()
        if not self._closing:
            self._loop.course.fail(BenchError("The front closed a connection."))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._loop.course.fail(BenchError(f"The front's answer is no HTTP: {error}."))

    def send(self, request_bytes: bytes, due: float) -> None:
        """Sends the next request, which was due then."""
        self._loop.under_way += 1
        self._due, self._body = due, b""
        self._transport.write(request_bytes)

    async def close(self) -> None:
        """Ends the connection."""
        self._closing = True
        self._transport.close()
        await self._closed.wait()

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        self._loop.under_way -= 1
        self._loop.answered(self, self._parser.get_status_code(), time.perf_counter() - self._due, self._body)
