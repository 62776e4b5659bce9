"""A batch before the ledger: committed whole, tried again whole, or halved until the one bad command stands alone."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog
from msgspec import Struct

from contracts.replies import Reply
from workers.intake.batching import Portion
from workers.intake.identifying import ids
from workers.intake.reading import Item
from workers.ledger.execute import Committed
from workers.ledger.faults import BatchRejected, Broken, ConnectionLost, LeaseLost, TryAgain
from workers.ledger.model import Request
from workers.meters import Meters

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = (0.05, 2.0)


class Poison(Struct, frozen=True):
    """A command that failed all by itself, and why."""

    reason: str


Outcome = Reply | Poison | None
"""What came of a request; ``None`` where its partition is not ours any more."""


class Execute(Protocol):
    """The one database transaction of a batch (``workers.ledger.execute``)."""

    async def __call__(
        self, requests: Sequence[Request], epochs: Mapping[int, int], marks: Mapping[int, int]
    ) -> Committed:
        """Raises the ledger's faults."""
        ...


class Fences(Protocol):
    """What is known of our partitions: their epochs, and how far their events are confirmed."""

    epochs: dict[int, int]

    def marks(self, partitions: set[int]) -> dict[int, int]:
        """The marks to be written along, of these partitions."""
        ...

    def wrote(self, marks: dict[int, int]) -> None:
        """These marks are written."""
        ...

    def lose(self, partitions: frozenset[int]) -> None:
        """Forgets partitions that are somebody else's by now, and closes their channels."""
        ...


class Settled(Struct):
    """A batch that is through: an outcome for each request, what was committed, and the database's clock.

    ``twice``: the items that stood alone before a constraint once already.
    """

    portions: list[Portion]
    outcomes: dict[int, Outcome]
    commits: list[Committed]
    now: datetime
    twice: set[int] = set()


class Settler:
    """Brings batches through the ledger, one at a time."""

    def __init__(self, execute: Execute, fences: Fences, meters: Meters) -> None:
        self._execute = execute
        self._fences = fences
        self._meters = meters

    async def settle(self, portions: list[Portion]) -> Settled:
        """Raises ``ConnectionLost`` and ``Broken``; nothing may be answered then. All else is in the outcomes.

        Outcomes are kept by the identity of the item; the order within each partition is kept throughout.
        """
        items = [item for portion in portions for item in portion.items]
        self._meters.batch_size.observe(len(items))
        settled = Settled(portions, {}, [], datetime.now(UTC))
        parts = deque([[item for item in items if item.request is not None]])
        while parts:
            part = self._ours(parts.popleft())
            if part:
                parts.extendleft(reversed(await self._settle(part, settled)))
        return settled

    def _ours(self, part: list[Item]) -> list[Item]:
        epochs = self._fences.epochs
        return [item for item in part if item.partition in epochs]

    async def _settle(self, part: list[Item], settled: Settled) -> list[list[Item]]:
        """Commits a part, or answers the parts that are to be tried instead, in order."""
        try:
            committed = await self._committed(part)
        except (ConnectionLost, Broken, MemoryError, asyncio.CancelledError):
            raise  # a process without memory ends; its commands are not to blame
        except LeaseLost as lost:
            self._meters.fence_refusals.inc(len(lost.partitions))
            self._fences.lose(lost.partitions)
            return [part]
        except Exception as error:  # a rejected batch, or the rules' own failure: one of these commands is the culprit
            return self._halved(part, error, settled)
        settled.now = committed.now
        settled.commits.append(committed)
        settled.outcomes.update(zip(map(id, part), committed.replies, strict=True))
        return []

    def _halved(self, part: list[Item], error: Exception, settled: Settled) -> list[list[Item]]:
        if len(part) > 1:
            self._meters.halvings.inc()
            middle = len(part) // 2
            return [part[:middle], part[middle:]]
        (culprit,) = part
        if isinstance(error, BatchRejected) and error.conflict and id(culprit) not in settled.twice:
            # The winner's row was not there yet when this one looked: a second look finds it, and its answer.
            self._meters.conflicts.inc()
            settled.twice.add(id(culprit))
            return [part]
        self._meters.poisoned.inc()
        _log.error("a command failed by itself", **ids(culprit), exc_info=error)
        settled.outcomes[id(culprit)] = Poison(f"{type(error).__name__}: {error}")
        return []

    async def _committed(self, part: list[Item]) -> Committed:
        requests = [item.request for item in part if item.request is not None]
        partitions = {item.partition for item in part}
        pause = _PAUSE_SECONDS[0]
        while True:
            epochs = {number: self._fences.epochs[number] for number in partitions if number in self._fences.epochs}
            if len(epochs) < len(partitions):
                raise LeaseLost(partitions - epochs.keys())
            marks = self._fences.marks(partitions)
            try:
                with self._meters.database_seconds.time():
                    committed = await self._execute(requests, epochs, marks)
            except TryAgain as error:
                self._meters.retries.inc()
                _log.warning("the batch is tried again", commands=len(requests), reason=str(error))
            else:
                self._fences.wrote(marks)
                return committed
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  two workers must not meet again
            pause = min(2 * pause, _PAUSE_SECONDS[1])
