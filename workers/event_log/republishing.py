"""Sends the events of ledger rows again: the same ids and bodies, in order for each partition, confirmed.

Subscribers see repeats, which they drop by ``sequence`` or ``id``. Workers may go on beside it: what they send
meanwhile is newer, and stands behind its predecessors in the log, some of which come once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from workers.broker.publisher import Publication, Verdict
from workers.broker.publishing import Publishing
from workers.event_log.choosing import Since
from workers.events.messages import log_copy, messages_of
from workers.ledger.store.positions import Positions

PAGE: Final = 256
"""Rows that may be on their way without a confirm, as in a worker's lane."""
_CONFIRM_SECONDS: Final = 30.0
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 2.0

Told = Callable[[int, int, int], None]
"""Partition, the position up to which it is done, events of it so far."""


class NotTakenError(Exception):
    """The broker does not take an event; the message says up to where it has them."""


class Span:
    """What to send of one partition: the rows from ``first`` to ``last``, both included."""

    def __init__(self, partition: int, first: int, last: int) -> None:
        self.partition = partition
        self.first = first
        self.last = last


async def spans(positions: Positions, since: Since, until: Since | None) -> list[Span]:
    """Where to begin and to end in each partition. Raises ``ValueError`` for places that do not fit each other."""
    heads = await positions.heads()
    if isinstance(since, tuple):
        if since.partition not in heads:
            raise ValueError(f"there is no partition {since.partition}")
        heads = {since.partition: heads[since.partition]}
    if isinstance(until, tuple) and list(heads) != [until.partition]:
        raise ValueError(f"an end in partition {until.partition} needs a beginning there")
    found = [
        Span(partition, await _first(positions, partition, head, since), await _last(positions, partition, head, until))
        for partition, head in heads.items()
    ]
    return [span for span in found if span.first <= span.last]


async def _first(positions: Positions, partition: int, head: int, since: Since) -> int:
    if isinstance(since, tuple):
        return max(since.position, 1)
    return await positions.first_since(partition, head, since)


async def _last(positions: Positions, partition: int, head: int, until: Since | None) -> int:
    if until is None:
        return head
    if isinstance(until, tuple):
        return min(until.position, head)
    return await positions.first_since(partition, head, until) - 1


class Republishing:
    """Without ``publishing`` it only counts. ``told`` hears of each page that is done."""

    def __init__(self, positions: Positions, publishing: Publishing | None, told: Told) -> None:
        self._positions = positions
        self._publishing = publishing
        self._told = told

    async def send(self, span: Span, user: str | None) -> int:
        """How many events it were. Raises ``NotTakenError``, and what reading raises."""
        sent, after = 0, span.first - 1
        while after < span.last:
            rows = await self._positions.read_after(span.partition, after, PAGE, user)
            wanted = [row for row in rows if row.position <= span.last]
            if not wanted:
                break
            messages = [message for row in wanted for message in messages_of(row)]
            if self._publishing is not None:
                await self._publish(self._publishing, messages, f"{span.partition}:{wanted[0].position}")
            sent, after = sent + len(messages), wanted[-1].position
            self._told(span.partition, after, sent)
        return sent

    async def _publish(self, publishing: Publishing, messages: Sequence[Publication], place: str) -> None:
        """All of them, in order; from the first on whose fate nobody knows once more."""
        for _ in range(_TRIES):
            verdicts = await publishing.once(messages, _CONFIRM_SECONDS)
            refused = [
                log_copy(message)
                for message, verdict in zip(messages, verdicts, strict=True)
                if verdict not in (Verdict.CONFIRMED, Verdict.LOST)
            ]
            verdicts_of_log = await publishing.once(refused, _CONFIRM_SECONDS)
            if Verdict.LOST not in verdicts and all(verdict is Verdict.CONFIRMED for verdict in verdicts_of_log):
                return
            if Verdict.LOST in verdicts:
                messages = messages[verdicts.index(Verdict.LOST) :]
            await asyncio.sleep(_PAUSE_SECONDS)
        raise NotTakenError(f"the broker does not take what begins at {place}; what was before it is sent")
