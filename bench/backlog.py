"""A backlog: uses that wait in the queues before anybody works, each with an answer to come to whoever sent it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from bench.course import Measured
from bench.errors import BenchError
from bench.frames import BrokerError, Client, connect
from bench.load import Around
from bench.uses import Uses, is_charged, no_queue, queue_full, use_template, wrong_answer

_UNCONFIRMED: Final = 4_000
_PUBLISHED_AT_ONCE: Final = 200
_LOOK_SECONDS: Final = 0.002
_SILENCE_SECONDS: Final = 60.0


class Backlog:
    """``size`` uses from one connection, which stays up, since it is where the answers go to."""

    def __init__(self, uses: Uses, size: int) -> None:
        self._uses = uses
        self._size = size
        self._client: Client
        self._waiting: set[bytes] = set()
        self._half = -1
        self._half_at = 0.0
        self._heard = 0.0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def prepare(self, url: str) -> None:
        """Fills the queues; all is confirmed at the end. Raises ``BrokerError``, ``BenchError``."""
        template = use_template(url)
        self._client = client = await connect(url, self)
        for number in range(self._size):
            correlation_id = b"%d" % number
            self._waiting.add(correlation_id)
            self._uses.publish(client, template, correlation_id)
            if number % _PUBLISHED_AT_ONCE == 0:
                await self._confirmed(all_but=_UNCONFIRMED)
        await self._confirmed(all_but=0)

    async def measure(self, url: str, around: Around) -> Measured:
        """From now, when all that drains it is ready, to the last answer."""
        try:
            return await self._drained(around)
        finally:
            await self._client.close()

    async def _drained(self, around: Around) -> Measured:
        self._look()
        commands = len(self._waiting)
        if not commands:
            raise BenchError(f"A backlog of {self._size} was drained before it could be measured: take a larger one.")
        self._half = commands // 2
        around()
        start = self._heard = time.perf_counter()
        while not self._over.done():
            await asyncio.wait((self._over,), timeout=1.0)
            if time.perf_counter() - self._heard > _SILENCE_SECONDS:
                raise BenchError(f"{len(self._waiting)} commands of a backlog wait, and no answer came for a minute.")
        self._look()
        around()
        first, second = self._half_at - start, self._heard - self._half_at
        return Measured(commands / (first + second), None, None, commands, self._size, first / second)

    async def _confirmed(self, all_but: int) -> None:
        while self._client.unconfirmed > all_but:
            await asyncio.sleep(_LOOK_SECONDS)
            self._look()
        await asyncio.sleep(0)  # what was published is written at the end of a turn

    def _look(self) -> None:
        """Raises what went wrong."""
        if self._over.done():
            self._over.result()

    def _fail(self, error: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    # The client's side (bench.frames.Receiver)

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        """One less; each has one answer."""
        if correlation_id not in self._waiting or not is_charged(body):
            self._fail(wrong_answer(body))
            return
        self._waiting.discard(correlation_id)
        self._heard = time.perf_counter()
        if len(self._waiting) == self._half:
            self._half_at = self._heard
        if not self._waiting and not self._over.done():
            self._over.set_result(None)

    def refused(self, correlation_id: bytes) -> None:
        """The bound of the queues was not raised enough."""
        self._fail(queue_full())

    def unroutable(self, correlation_id: bytes) -> None:
        """No queues."""
        self._fail(no_queue())

    def lost(self, error: BrokerError) -> None:
        """The connection is gone, and the answers with it."""
        self._fail(error)
