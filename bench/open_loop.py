"""Open-loop load: uses arrive at a fixed rate, however long answers take, and latency counts from when each was due.

So a slow answer is seen by all that were due meanwhile (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from bench.course import Measured, percentiles
from bench.errors import BenchError
from bench.frames import BrokerError, Client, Template, connect
from bench.load import Around
from bench.uses import Uses, is_charged, no_queue, queue_full, use_template, wrong_answer

_TICK_SECONDS: Final = 0.001
_UNSENT_BYTES: Final = 1 << 20
"""What may wait in this process for a broker that takes no more: arrivals behind it are late, and latencies tell."""
_DRAIN_SECONDS: Final = 30.0


class Arrivals:
    """What became of each arrival, by its number from 0 on; seconds since the first one was due."""

    def __init__(self) -> None:
        self.due = array("d")
        self.took = array("d")
        """From when it was due to its answer; not a number without one, infinite where it was refused."""
        self.answered = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self.due)

    @property
    def pending(self) -> int:
        """Sent, and neither answered nor refused."""
        return len(self) - self.answered - self.refused

    def add(self, due: float) -> int:
        """One more; its number."""
        self.due.append(due)
        self.took.append(math.nan)
        return len(self.due) - 1

    def is_pending(self, number: int) -> bool:
        """Whether nothing is known of it yet."""
        return number < len(self) and math.isnan(self.took[number])

    def answer(self, number: int, now: float) -> None:
        """It was answered, ``now`` seconds after the start."""
        self.took[number] = now - self.due[number]
        self.answered += 1

    def refuse(self, number: int) -> None:
        """The broker did not take it."""
        self.took[number] = math.inf
        self.refused += 1

    def latencies(self, first: int, last: int) -> Sequence[float]:
        """Of those answered among the arrivals ``first … last - 1``, in seconds."""
        return [took for took in self.took[first:last] if math.isfinite(took)]


@dataclass(frozen=True)
class Offer:
    """A stretch of time under one rate: the arrivals ``first … last - 1``; ``missing`` more could not be sent in it."""

    begins: float
    ends: float
    first: int
    last: int
    missing: int


class OpenLoop:
    """Some connections that take turns. Refusals are noted where they are allowed for, and an error elsewhere."""

    def __init__(self, uses: Uses, *, refusals: bool = False) -> None:
        self.arrivals = Arrivals()
        self._uses = uses
        self._refusals = refusals
        self._clients: list[Client] = []
        self._template: Template
        self._start = 0.0
        self._failure: Exception | None = None

    async def connect(self, url: str, connections: int = 1) -> Self:
        """Connects. Raises ``BrokerError``."""
        self._template = use_template(url)
        for _ in range(connections):
            self._clients.append(await connect(url, self))
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            await client.close()

    @property
    def now(self) -> float:
        """Seconds since the first arrival was due."""
        return time.perf_counter() - self._start

    async def offer(self, per_second: float, seconds: float) -> Offer:
        """Sends at this rate for so long, each when it is due. Raises what went wrong."""
        if not self._start:
            self._start = time.perf_counter()
        begins, first, total = self.now, len(self.arrivals), int(per_second * seconds)
        while (passed := self.now - begins) < seconds:
            self._send(begins, per_second, first, min(total, int(passed * per_second) + 1))
            await asyncio.sleep(_TICK_SECONDS)
            self._look()
        self._send(begins, per_second, first, total)
        return Offer(begins, begins + seconds, first, len(self.arrivals), total - (len(self.arrivals) - first))

    async def settle(self, within: float) -> None:
        """Returns once each is answered or refused. Raises ``BenchError`` where that takes longer, in seconds."""
        end = time.perf_counter() + within
        self._look()
        while self.arrivals.pending or any(client.unconfirmed for client in self._clients):
            await asyncio.sleep(_TICK_SECONDS)
            self._look()
            if time.perf_counter() > end:
                raise BenchError(f"{self.arrivals.pending} commands were not answered within {within:.0f} s.")

    def _send(self, begins: float, per_second: float, first: int, number: int) -> None:
        """All of an offer's first ``number`` arrivals that were not sent yet."""
        for index in range(len(self.arrivals), first + number):
            client = self._clients[index % len(self._clients)]
            if client.unsent > _UNSENT_BYTES:
                return
            self.arrivals.add(begins + (index - first) / per_second)
            self._uses.publish(client, self._template, b"%d" % index)

    def _look(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error

    # The clients' side (bench.frames.Receiver)

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        """Notes how long it took."""
        number = int(correlation_id)
        if not self.arrivals.is_pending(number) or not is_charged(body):
            self._fail(wrong_answer(body))
            return
        self.arrivals.answer(number, self.now)

    def refused(self, correlation_id: bytes) -> None:
        """The queue is full: its sender would be told ``overloaded``."""
        number = int(correlation_id)
        if not self._refusals:
            self._fail(queue_full())
        elif not self.arrivals.is_pending(number):
            self._fail(BenchError("A command that the broker did not take was answered."))
        else:
            self.arrivals.refuse(number)

    def unroutable(self, correlation_id: bytes) -> None:
        """No queues."""
        self._fail(no_queue())

    def lost(self, error: BrokerError) -> None:
        """A connection is gone."""
        self._fail(error)


class SteadyLoad:
    """An open loop at one rate, as a load that is measured: ``warm_up`` seconds first, then ``seconds``."""

    def __init__(self, uses: Uses, per_second: float, seconds: float, warm_up: float = 1.0) -> None:
        self._uses = uses
        self._per_second = per_second
        self._seconds = seconds
        self._warm_up = warm_up

    async def prepare(self, url: str) -> None:
        """Nothing: each command is sent while the processes run."""

    async def measure(self, url: str, around: Around) -> Measured:
        """Latencies of those that were due in the measured time, also where their answers came later."""
        async with await OpenLoop(self._uses).connect(url) as loop:
            await loop.offer(self._per_second, self._warm_up)
            around()
            offer = await loop.offer(self._per_second, self._seconds)
            around()
            await loop.settle(_DRAIN_SECONDS)
        if offer.missing:
            raise BenchError(f"{offer.missing} commands could not be sent when they were due: the broker took no more.")
        took = loop.arrivals.latencies(offer.first, offer.last)
        p50, p99 = percentiles(took)
        return Measured(len(took) / self._seconds, p50, p99, len(took), loop.arrivals.answered)
