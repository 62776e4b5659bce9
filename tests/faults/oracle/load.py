"""Load that comes when it comes: at a fixed rate, whatever the answers do; latency counts from the scheduled time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol, Self

from tests.faults.oracle.client import DEADLINE
from tests.faults.oracle.journal import Journal, Outcome
from tests.faults.oracle.population import Crowd
from tests.faults.oracle.rest import Rest

TOO_MUCH: Final = 1_000_000_000
"""More credits than any user of a run is given."""
_REMEMBERED: Final = 5_000
_AT_ONCE_AGAIN: Final = 0.5
"""Of the attempts without an answer: so many are sent again at once, the others are left to the judge."""
_TICK_SECONDS: Final = 0.005


@dataclass(frozen=True)
class Mix:
    """Parts of the load. Without a front the part of REST are uses too."""

    use: float = 0.70
    replay: float = 0.10
    conflict: float = 0.05
    insufficient: float = 0.05
    rest: float = 0.10


class Sender(Protocol):
    """Who sends the load's commands: a ``Client``, or somebody who does more with each."""

    journal: Journal

    async def send(self, op: str, user: str, key: str = "", *, amount: int | None = None, deadline: float) -> Outcome:
        """As ``Client.send``."""
        ...


class Load:
    """Runs in the background while the block lasts; at its end it waits for the answers that are due."""

    def __init__(
        self,
        client: Sender,
        users: list[str],
        *,
        rate: float,
        mix: Mix | None = None,
        seed: int = 0,
        rest: Rest | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        self.sent = 0
        self.latencies: list[tuple[float, float]] = []
        """(scheduled at, seconds to the answer) of all that were answered; the first by ``time.monotonic``."""
        self._client = client
        self._rest = rest
        self._rate = rate
        self._deadline = deadline
        self._chance = Random(seed)
        self._crowd = Crowd(users, self._chance)
        self._name = f"{client.journal.run}-{seed}"
        self._kinds, self._weights = _kinds(mix or Mix(), with_rest=rest is not None)
        self._used: list[tuple[str, str, int]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._going = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._going.set()
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """No new commands; returns once each one sent has its answer or its deadline. Raises what went wrong."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await asyncio.gather(*self._tasks)
        if self._failures:
            raise self._failures[0]

    def pause(self) -> None:
        """Nothing is sent, nor made up for, until ``go_on``."""
        self._going.clear()

    def go_on(self) -> None:
        """Ends a pause."""
        self._going.set()

    def percentile(self, part: float, since: float = 0.0) -> float:
        """Seconds within which this part of the answers came, of what was scheduled ``since``; 0 where none was."""
        seconds = sorted(took for scheduled, took in self.latencies if scheduled >= since)
        return seconds[min(int(part * len(seconds)), len(seconds) - 1)] if seconds else 0.0

    def slow(self, seconds: float = 1.0, since: float = 0.0) -> int:
        """How many answers took longer, of what was scheduled ``since``."""
        return sum(1 for scheduled, took in self.latencies if scheduled >= since and took > seconds)

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            if not self._going.is_set():
                await self._going.wait()
                due = time.monotonic()
            while due <= time.monotonic():
                self._start(due)
                due += 1 / self._rate
            await asyncio.sleep(max(_TICK_SECONDS, due - time.monotonic()))

    def _start(self, due: float) -> None:
        self.sent += 1
        task = asyncio.create_task(self._one(self._send_of(self._chance.choices(self._kinds, self._weights)[0]), due))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.append(error)

    async def _one(self, send: Callable[[], Awaitable[Outcome]], due: float) -> None:
        outcome = await send()
        if outcome.cls in {"acknowledged", "refused"}:
            self.latencies.append((due, time.monotonic() - due))

    def _send_of(self, kind: str) -> Callable[[], Awaitable[Outcome]]:
        """What is to be done, decided now, so that a seed decides it."""
        key = f"{self._name}-{self.sent}"
        user, amount, again = self._crowd.pick(), self._chance.randint(1, 3), self._chance.random() < _AT_ONCE_AGAIN
        if kind == "rest" and self._rest is not None:
            rest, rest_user = self._rest, self._chance.choice(self._rest.users)
            return lambda: rest.use(rest_user, key, amount)
        if kind == "insufficient":
            return lambda: self._client.send("use", user, key, amount=TOO_MUCH, deadline=self._deadline)
        if kind in {"replay", "conflict"} and self._used:
            old_user, old_key, old_amount = self._chance.choice(self._used)
            asked = old_amount + (kind == "conflict")
            return lambda: self._client.send("use", old_user, old_key, amount=asked, deadline=self._deadline)
        return lambda: self._use(user, key, amount, again)

    async def _use(self, user: str, key: str, amount: int, again: bool) -> Outcome:
        outcome = await self._client.send("use", user, key, amount=amount, deadline=self._deadline)
        if outcome.cls == "unknown" and again:
            outcome = await self._client.send("use", user, key, amount=amount, deadline=self._deadline)
        if outcome.cls == "acknowledged":
            self._remember(user, key, amount)
        return outcome

    def _remember(self, user: str, key: str, amount: int) -> None:
        """Old keys to choose from: all the same likely, however long the run."""
        if len(self._used) < _REMEMBERED:
            self._used.append((user, key, amount))
        else:
            self._used[self._chance.randrange(_REMEMBERED)] = (user, key, amount)


def _kinds(mix: Mix, *, with_rest: bool) -> tuple[list[str], list[float]]:
    use = mix.use if with_rest else mix.use + mix.rest
    kinds = ["use", "replay", "conflict", "insufficient", "rest"]
    return kinds, [use, mix.replay, mix.conflict, mix.insufficient, mix.rest if with_rest else 0.0]
