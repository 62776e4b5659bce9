"""The independent subscriber, as a scenario has it: a durable queue, a process on it, and the file it writes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aio_pika
import msgspec

from ops.ending import end
from ops.place import CHECKOUT
from ops.programs import python, run_environment
from tests.faults.oracle.events import EXCHANGE, Event, Position, positions

_READY_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1
_decoder: Final = msgspec.json.Decoder(Event)


class Subscriber:
    """What has come to it so far."""

    def __init__(self, path: Path, queue: str, child: asyncio.subprocess.Process) -> None:
        self.queue = queue
        self.pid = child.pid
        self._path = path
        self._child = child
        self._events: list[Event] = []
        self._read_to = 0

    def events(self) -> list[Event]:
        """All events in the order in which they came, repeats included. Raises ``AssertionError`` where it has died."""
        assert self._child.returncode is None, f"the subscriber ended with {self._child.returncode}"
        with self._path.open("rb") as source:
            source.seek(self._read_to)
            data = source.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        self._events += [_decoder.decode(line) for line in whole.splitlines()]
        return self._events

    async def caught_up(self, expected: set[Position], within: float) -> bool:
        """Waits until the event of each of these transactions has come; whether it has."""
        missing = set(expected)
        try:
            async with asyncio.timeout(within):
                seen = 0
                while True:
                    events = self.events()
                    missing -= positions(events[seen:])
                    seen = len(events)
                    if not missing:
                        return True
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            return False


@asynccontextmanager
async def subscribed(amqp_url: str, database_url: str, path: Path) -> AsyncGenerator[Subscriber]:
    """A subscriber of everything from here on; ``database_url`` of a login that sees all rows.

    Its queue is deleted at the end.
    """
    queue = f"oracle.{uuid.uuid4()}"
    await _declare(amqp_url, queue)
    environment = {"ORACLE_AMQP_URL": amqp_url, "ORACLE_DATABASE_URL": database_url}
    with path.with_suffix(".log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            *python("tests.faults.oracle.subscriber"),
            str(path),
            queue,
            cwd=CHECKOUT,
            env=run_environment(environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert child.stdout is not None
        said = await asyncio.wait_for(child.stdout.readline(), _READY_SECONDS)
        assert said == b"ready\n", f"the subscriber did not become ready: {path.with_suffix('.log').read_text()}"
        yield Subscriber(path, queue, child)
    finally:
        assert await end(child, _STOP_SECONDS), "the subscriber did not end when it was told to"
        await _delete(amqp_url, queue)


async def _declare(amqp_url: str, queue: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        await declared.bind(EXCHANGE, "#")


async def _delete(amqp_url: str, queue: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue)
