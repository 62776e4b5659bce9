"""Load that comes when it comes: at a fixed rate, whatever the answers do; latency counts from the scheduled time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from random import Random
from typing import Any, Final, Protocol, Self

from tests.faults.oracle.client import DEADLINE
from tests.faults.oracle.journal import Journal, Outcome
from tests.faults.oracle.mix import Mix, kinds
from tests.faults.oracle.population import Crowd
from tests.faults.oracle.rest import Rest

TOO_MUCH: Final = 1_000_000_000
"""More credits than any user of a run is given."""
_BEYOND_THE_POOR: Final = 10_000
"""More credits than a poor user has, and no more than one is given behind a refusal."""
_REMEMBERED: Final = 5_000
_AT_ONCE_AGAIN: Final = 0.5
"""Of the attempts without an answer: so many are sent again at once, the others are left to the judge."""
_TICK_SECONDS: Final = 0.005
_GIFT: Final = 10
"""Credits of an administrator's command, at most."""
_LIFE_SECONDS: Final = (1.0, 10.0)
"""Of a grant that expires."""


class Sender(Protocol):
    """Who sends the load's commands: a ``Client``, or somebody who does more with each."""

    journal: Journal

    async def send(
        self,
        op: str,
        user: str,
        key: str = "",
        *,
        amount: int | None = None,
        app: str = "chat",
        deadline: float,
        body_extra: dict[str, Any] | None = None,
        message_id: str | None = None,
    ) -> Outcome:
        """As ``Client.send``."""
        ...


@dataclass(frozen=True)
class _Use:
    """One that was acknowledged."""

    user: str
    key: str
    amount: int
    app: str
    transaction_id: str


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
        poor: Sequence[str] = (),
        deadline: float = DEADLINE,
    ) -> None:
        """``poor``: users of the load's own, opened, that are given no credits to speak of."""
        self.asked_again = 0
        """Refused messages that were sent once more, when the credits were there."""
        self.due: list[float] = []
        """When each command was scheduled (``time.monotonic``), whatever came of it."""
        self.latencies: list[tuple[float, float]] = []
        """(scheduled at, seconds to the answer) of all that were answered; the first by ``time.monotonic``."""
        self._client = client
        self._rest = rest
        self._rate = rate
        self._deadline = deadline
        self._chance = Random(seed)
        self._crowd = Crowd(users, self._chance)
        self._name = f"{client.journal.run}-{seed}"
        self._poor = poor
        self._mix = mix or Mix()
        self._kinds, self._weights = kinds(self._mix, with_rest=rest is not None, with_poor=bool(poor))
        self._used: list[_Use] = []
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
        await self.at_rest()
        if self._failures:
            raise self._failures[0]

    async def at_rest(self) -> None:
        """Returns once nothing that was sent is without an outcome; to be asked while nothing more is started."""
        while self._tasks:  # one may have started another
            await asyncio.gather(*self._tasks)

    def pause(self) -> None:
        """Nothing is sent, nor made up for, until ``go_on``."""
        self._going.clear()

    def go_on(self) -> None:
        """Ends a pause."""
        self._going.set()

    def percentile(self, part: float, since: float = 0.0, until: float = inf) -> float:
        """Seconds within which this part of the answers came, of what was scheduled between these times; 0 where none
        was.
        """
        seconds = sorted(took for scheduled, took in self.latencies if since <= scheduled < until)
        return seconds[min(int(part * len(seconds)), len(seconds) - 1)] if seconds else 0.0

    def slow(self, seconds: float = 1.0, since: float = 0.0) -> int:
        """How many answers took longer, of what was scheduled ``since``."""
        return sum(1 for scheduled, took in self.latencies if scheduled >= since and took > seconds)

    def answered_within(self, seconds: float, since: float, until: float) -> float:
        """The part that had a definite answer so soon, of all that was scheduled between these times; 0 where none was.

        What was refused at the door, or never answered, is in the rest. To be asked ``seconds`` after ``until``.
        """
        due = sum(1 for scheduled in self.due if since <= scheduled < until)
        soon = sum(1 for scheduled, took in self.latencies if since <= scheduled < until and took <= seconds)
        return soon / due if due else 0.0

    @property
    def sent(self) -> int:
        """How many commands were scheduled so far."""
        return len(self.due)

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
        self.due.append(due)
        self._spawn(self._one(self._send_of(self._chance.choices(self._kinds, self._weights)[0]), due))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
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
        if kind == "poor":
            poor = self._chance.choice(self._poor)
            return lambda: self._use_of_the_poor(poor, key)
        if kind == "insufficient":
            return lambda: self._client.send("use", user, key, amount=TOO_MUCH, deadline=self._deadline)
        if kind in {"replay", "conflict", "refund"} and self._used:
            return self._send_about(kind, self._chance.choice(self._used), key)
        if kind in {"grant", "expiring", "adjust"}:
            return self._send_of_an_administrator(kind, user, key)
        app = self._chance.choice(self._mix.apps)
        return lambda: self._use(user, key, amount, app, again)

    def _send_about(self, kind: str, use: _Use, key: str) -> Callable[[], Awaitable[Outcome]]:
        """A use once more, with another amount, or its refund."""
        if kind == "refund":
            op, amount, extra = "refund", self._chance.randint(1, use.amount), {"transactionId": use.transaction_id}
        else:
            op, key, amount, extra = "use", use.key, use.amount + (kind == "conflict"), None
        return lambda: self._client.send(
            op, use.user, key, amount=amount, app=use.app, deadline=self._deadline, body_extra=extra
        )

    def _send_of_an_administrator(self, kind: str, user: str, key: str) -> Callable[[], Awaitable[Outcome]]:
        op, amount, extra = "grant", self._chance.randint(1, _GIFT), dict[str, Any]()
        if kind == "adjust":
            op, amount = "adjust", amount * self._chance.choice((1, -1))
        elif kind == "expiring":
            ends = datetime.now(UTC) + timedelta(seconds=self._chance.uniform(*_LIFE_SECONDS))
            extra["expiresAt"] = ends.isoformat()
        return lambda: self._client.send(op, user, key, amount=amount, deadline=self._deadline, body_extra=extra)

    async def _use(self, user: str, key: str, amount: int, app: str, again: bool) -> Outcome:
        outcome = await self._client.send("use", user, key, amount=amount, app=app, deadline=self._deadline)
        if outcome.cls == "unknown" and again:
            outcome = await self._client.send("use", user, key, amount=amount, app=app, deadline=self._deadline)
        if outcome.transaction_id is not None:
            self._remember(_Use(user, key, amount, app, outcome.transaction_id))
        return outcome

    async def _use_of_the_poor(self, user: str, key: str) -> Outcome:
        """A use that is refused, and credits for it right behind, mostly in one batch."""
        use = self._client.send(
            "use", user, key, amount=_BEYOND_THE_POOR, deadline=self._deadline, message_id=_message_of(key)
        )
        grant = self._client.send("grant", user, f"{key}-grant", amount=_BEYOND_THE_POOR, deadline=self._deadline)
        outcome, _ = await asyncio.gather(use, grant)
        self._spawn(self._behind_the_grant(user, key, refused=outcome.cls == "refused"))
        return outcome

    async def _behind_the_grant(self, user: str, key: str, *, refused: bool) -> None:
        """The refused message again, as if the broker had delivered it twice; then the user is made poor again."""
        if refused:
            self.asked_again += 1
            await self._client.send(
                "use", user, key, amount=_BEYOND_THE_POOR, deadline=self._deadline, message_id=_message_of(key)
            )
        await self._client.send("use", user, f"{key}-spent", amount=_BEYOND_THE_POOR, deadline=self._deadline)

    def _remember(self, use: _Use) -> None:
        """Old keys to choose from: all the same likely, however long the run."""
        if len(self._used) < _REMEMBERED:
            self._used.append(use)
        else:
            self._used[self._chance.randrange(_REMEMBERED)] = use


def _message_of(key: str) -> str:
    """The id of the one message that asks for it."""
    return f"{key}-message"
