"""Closed-loop load: a fixed number of uses is always under way, and each answer sends the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bench.calls import APP
from bench.course import Course, Measured
from bench.errors import BenchError
from bench.frames import BrokerError, Client, Template, connect
from bench.frames.address import Address
from contracts.topology import COMMANDS_EXCHANGE

_OK: Final = b'"ok":true'


@dataclass(frozen=True)
class Load:
    """What is sent: how many at a time, to whose accounts, for how long (seconds, the warm-up not counted)."""

    in_flight: int
    users: Callable[[], Iterator[bytes]]
    seconds: float
    warm_up: float = 1.0


class ClosedLoop:
    """One connection under load. ``run`` names this run in the idempotency keys, which must be new."""

    def __init__(self, load: Load, run: str) -> None:
        self._load = load
        self._users = load.users()
        self._before_number = b'","idempotencyKey":"%s-' % run.encode()
        self._after_number = f'","amount":1,"appId":"{APP}","description":"one use"}}'.encode()
        self._client: Client | None = None
        self._template: Template
        self._number = 0
        self._sent: dict[bytes, float] = {}
        self._course = Course()

    async def measure(self, url: str, around: Callable[[], None]) -> Measured:
        """Warms up, measures, waits for the last answers. ``around`` is called where the measured time begins and ends.

        Raises ``BrokerError`` or ``BenchError`` where one command is refused, lost, or not answered.
        """
        self._template = Template(COMMANDS_EXCHANGE, "credits.use", Address.of(url).login)
        self._client = await connect(url, self)
        try:
            for _ in range(self._load.in_flight):
                self._send(self._client)
            return await self._course.run(self._load.warm_up, self._load.seconds, around)
        finally:
            await self._client.close()

    def _send(self, client: Client) -> None:
        self._number += 1
        number, user = b"%d" % self._number, next(self._users)
        body = b"".join((b'{"userId":"', user, self._before_number, number, self._after_number))
        self._sent[number] = time.perf_counter()
        client.publish(self._template, user, number, body)

    # The client's side (bench.frames.Receiver)

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        """Notes how long it took, and sends the next one."""
        sent = self._sent.pop(correlation_id, None)
        if sent is None or self._client is None or _OK not in body:
            self._course.fail(BenchError(f"A use was answered with {body[:300]!r}."))
            return
        self._course.answered(time.perf_counter() - sent)
        if self._course.sending:
            self._send(self._client)
        elif not self._sent:
            self._course.came_to_rest()

    def refused(self, correlation_id: bytes) -> None:
        """Too much for the queues: then this is no measurement."""
        self._course.fail(BenchError("The broker did not take a command: its queue is full."))

    def unroutable(self, correlation_id: bytes) -> None:
        """No queues."""
        self._course.fail(BenchError("The broker has no queue for commands."))

    def lost(self, error: BrokerError) -> None:
        """The connection is gone."""
        self._course.fail(error)
