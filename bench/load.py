"""Closed-loop load: a fixed number of uses is always under way, and each answer sends the next one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.course import Course, Measured
from bench.frames import BrokerError, Client, Template, connect
from bench.uses import Uses, is_charged, no_queue, queue_full, use_template, wrong_answer

Around = Callable[[], None]
"""Called where the measured time begins, and where it ends."""


class Load(Protocol):
    """What is put on the processes that are measured."""

    async def prepare(self, url: str) -> None:
        """What must be there before they start."""
        ...

    async def measure(self, url: str, around: Around) -> Measured:
        """While they run. Raises ``BrokerError`` or ``BenchError`` where one command is refused, lost, unanswered."""
        ...


@dataclass(frozen=True)
class Pace:
    """How many commands are under way at a time, for how long (seconds, the warm-up not counted)."""

    in_flight: int
    seconds: float
    warm_up: float = 1.0


class ClosedLoop:
    """One connection under load."""

    def __init__(self, uses: Uses, pace: Pace) -> None:
        self._uses = uses
        self._pace = pace
        self._client: Client | None = None
        self._template: Template
        self._number = 0
        self._sent: dict[bytes, float] = {}
        self._course = Course()

    async def prepare(self, url: str) -> None:
        """Nothing: each command is sent while the processes run."""

    async def measure(self, url: str, around: Around) -> Measured:
        """Warms up, measures, waits for the last answers."""
        self._template = use_template(url)
        self._client = await connect(url, self)
        try:
            for _ in range(self._pace.in_flight):
                self._send(self._client)
            return await self._course.run(self._pace.warm_up, self._pace.seconds, around)
        finally:
            await self._client.close()

    def _send(self, client: Client) -> None:
        self._number += 1
        number = b"%d" % self._number
        self._sent[number] = time.perf_counter()
        self._uses.publish(client, self._template, number)

    # The client's side (bench.frames.Receiver)

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        """Notes how long it took, and sends the next one."""
        sent = self._sent.pop(correlation_id, None)
        if sent is None or self._client is None or not is_charged(body):
            self._course.fail(wrong_answer(body))
            return
        self._course.answered(time.perf_counter() - sent)
        if self._course.sending:
            self._send(self._client)
        elif not self._sent:
            self._course.came_to_rest()

    def refused(self, correlation_id: bytes) -> None:
        """Too much for the queues: then this is no measurement."""
        self._course.fail(queue_full())

    def unroutable(self, correlation_id: bytes) -> None:
        """No queues."""
        self._course.fail(no_queue())

    def lost(self, error: BrokerError) -> None:
        """The connection is gone."""
        self._course.fail(error)
