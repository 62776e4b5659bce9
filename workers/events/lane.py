"""One partition's events, in the order of their positions, each confirmed by the broker before the mark passes it.

A position is told by one message, or by more in their order; the mark passes it once all of them are confirmed.

A lane keeps the rows that the worker has just committed, up to a bound. Where the broker is too slow for that, it
keeps no more of them, and reads them from the database later: nothing here ever holds up a command.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from typing import Final

import structlog

from workers.broker.publisher import Publication, Publisher, Verdict
from workers.crash import crash
from workers.events.messages import log_copy, messages_of
from workers.ledger.faults import ConnectionLost, TryAgain
from workers.ledger.happening import Happening
from workers.meters import Meters

_log = structlog.get_logger(__name__)

WINDOW: Final = 256
"""Events of one partition that may be on their way without a confirm."""
MEMORY: Final = 1024
"""Unconfirmed events of one partition that are kept in memory."""
_RETRY_SECONDS: Final = 1.0

ReadAfter = Callable[[int, int, int], Awaitable[Sequence[Happening]]]
"""Partition, position, limit: the rows behind that position, in order."""
_Place = tuple[int, int]
"""A position, and which of its messages."""


class Lane:
    """Publishes the rows behind ``mark``. ``head`` is the last position known to be committed."""

    def __init__(self, partition: int, *, mark: int, head: int, read: ReadAfter, meters: Meters) -> None:
        self.partition = partition
        self.mark = mark
        self.head = head
        self._read = read
        self._meters = meters
        gauged = weakref.ref(self)  # the gauge outlives every lane of its partition, and must not keep them
        meters.event_lag.labels(str(partition)).set_function(lambda: _lag(gauged()))
        self._kept: deque[tuple[Publication, ...]] = deque()
        """The messages of each row from ``mark + 1`` on, without a gap."""
        self._sent = mark
        self._confirmed: set[int] = set()
        self._refused: set[_Place] = set()
        self._more: dict[int, int] = {}
        """Of positions that are told by more than one message: how many confirms there must be before the last."""
        self._on_the_way = 0
        self._publisher: Publisher | None = None
        self._behind = asyncio.Event()
        self._flushed = asyncio.Event()
        self._ended = False
        self._look_behind()

    def attach(self, publisher: Publisher) -> None:
        """Goes on with a new publisher: again from the first unconfirmed event on, before anything newer."""
        self._publisher = publisher
        self._sent, self._on_the_way = self.mark, 0
        self._confirmed.clear()
        self._refused.clear()
        self._more.clear()
        self._pump()

    def offer(self, happenings: Sequence[Happening]) -> None:
        """Takes rows that were just committed, in order; those that there is no room for are read later."""
        if self._ended:
            return
        self.head = max(self.head, happenings[-1].position)
        if happenings[0].position <= self._tail + 1 and len(self._kept) + len(happenings) <= MEMORY:
            self._keep(happenings)
        self._look_behind()
        self._pump()

    def end(self) -> None:
        """Publishes nothing from now on, and lets go of what it kept."""
        self._ended = True
        self._publisher = None
        self._kept.clear()
        self._flushed.set()

    async def flushed(self) -> None:
        """Returns once every row known to be committed is confirmed, or the lane has ended."""
        await self._flushed.wait()

    async def catch_up(self) -> None:
        """Reads what memory had no room for, until cancelled. Raises ``Broken``."""
        while True:
            await self._behind.wait()
            rows = await self._read_more()
            if not rows:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._keep(rows)
            self._look_behind()
            self._pump()

    async def _read_more(self) -> Sequence[Happening]:
        try:
            rows = await self._read(self.partition, self._tail, MEMORY // 2)
        except (ConnectionLost, TryAgain) as error:  # a connection for reading: no lease hangs on it
            _log.warning("events are read later", partition=self.partition, reason=str(error))
            return []
        if not rows and self._tail < self.head:
            _log.error("committed rows are missing", partition=self.partition, after=self._tail)
        return rows

    @property
    def lag(self) -> int:
        """Positions without a confirmed event; none that would be ours once it has ended."""
        return 0 if self._ended else self.head - self.mark

    @property
    def _tail(self) -> int:
        return self.mark + len(self._kept)

    def _keep(self, happenings: Sequence[Happening]) -> None:
        tail = self._tail
        self._kept.extend(messages_of(row) for row in happenings if row.position > tail)

    def _look_behind(self) -> None:
        """Whether there are rows to be read, and room for them; and whether all is done."""
        if self.mark >= self.head:
            self._flushed.set()
        else:
            self._flushed.clear()
        if self._tail < self.head and len(self._kept) <= MEMORY // 2:
            self._behind.set()
        else:
            self._behind.clear()

    def _pump(self) -> None:
        publisher = self._publisher
        if publisher is None or self._ended:
            return
        if self._refused:
            self._send_copies(publisher)
            return
        room = min(WINDOW - self._on_the_way, self._tail - self._sent)
        start = self._sent - self.mark
        rows = list(islice(self._kept, start, start + max(room, 0)))
        for messages in rows:
            self._sent += 1
            if len(messages) > 1:
                self._more[self._sent] = len(messages) - 1
            for number, message in enumerate(messages):
                self._publish(publisher, (self._sent, number), message)
        if rows:
            crash("after_event")

    def _publish(self, publisher: Publisher, place: _Place, message: Publication) -> None:
        if self._on_the_way:
            crash("mid_events")
        self._on_the_way += 1
        publisher.publish(message, partial(self._on_verdict, publisher, place))

    def _send_copies(self, publisher: Publisher) -> None:
        """One copy of each refused event to the log alone, in order, once nothing else is on the way."""
        if self._on_the_way:
            return
        for place in sorted(self._refused):
            position, number = place
            self._on_the_way += 1
            copy = log_copy(self._kept[position - self.mark - 1][number])
            publisher.publish(copy, partial(self._on_copied, publisher, place))

    def _on_verdict(self, publisher: Publisher, place: _Place, verdict: Verdict) -> None:
        if publisher is not self._publisher or verdict is Verdict.LOST:
            return
        self._on_the_way -= 1
        if verdict is Verdict.CONFIRMED:
            self._confirm(place[0])
        else:
            self._meters.events_refused.inc()
            self._refused.add(place)
        self._pump()

    def _on_copied(self, publisher: Publisher, place: _Place, verdict: Verdict) -> None:
        if publisher is not self._publisher or verdict is Verdict.LOST:
            return
        self._on_the_way -= 1
        if verdict is Verdict.CONFIRMED:
            self._refused.discard(place)
            self._confirm(place[0])
            self._pump()
        elif not self._on_the_way:
            _log.error("the log of events takes nothing", partition=self.partition, verdict=verdict.value)
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._pump)

    def _confirm(self, position: int) -> None:
        """One of its messages; the position is done with the last."""
        self._meters.events_published.inc()
        if more := self._more.get(position, 0):
            self._more[position] = more - 1
            return
        self._more.pop(position, None)
        self._confirmed.add(position)
        while self.mark + 1 in self._confirmed:
            self.mark += 1
            self._confirmed.discard(self.mark)
            self._kept.popleft()
        self._look_behind()


def _lag(lane: Lane | None) -> int:
    return 0 if lane is None else lane.lag
