"""Faults in what the world hears of a batch, and when."""

# pyright: reportPrivateUsage=false
# A fault sits inside of what it spoils.

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from tests.faults.mutants.patching import replace
from workers.broker.publisher import Publication
from workers.events import lane
from workers.intake.holdings import Holdings
from workers.ledger import execute
from workers.ledger.happening import Happening
from workers.ledger.model import Entry, Outcome
from workers.ledger.store.session import Statements

_CONFIRM_SECONDS: Final = 5.0
_WITHHELD: Final = 3
"""Of each user: the first one behind the opening and its credits."""
_Messages = tuple[Publication, ...]


def event_before_commit() -> None:
    """A batch's events are published, and confirmed, before its COMMIT: the outbox that is no outbox.

    Subscribers hear of credits that nobody has yet, and where the COMMIT then fails, of such that nobody ever had; what
    the positions are given to instead is never told. Equation 7: an event whose row is not visible at receipt (in any
    scenario), an event of no row (S01 at ``before_commit``, S06, S08). Where a batch is rejected (S13), the mark passes
    the partition's last position, and the database refuses all that follows.
    """
    ours: list[Holdings] = []

    def keeping(make: Callable[..., None]) -> Callable[..., None]:
        def made(self: Holdings, *given: Any) -> None:
            make(self, *given)
            ours[:] = [self]

        return made

    def writing(write: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def written(run: Statements, outcome: Outcome, placed: Sequence[tuple[int, Entry]], *given: Any) -> None:
            await write(run, outcome, placed, *given)
            for partition, happenings in execute._events(placed).items():
                lane = ours[0].lane(partition)
                if lane is not None:
                    lane.offer(happenings)
                    async with asyncio.timeout(_CONFIRM_SECONDS):
                        await lane.flushed()

        return written

    replace(Holdings, "__init__", keeping)
    replace(execute, "write", writing)


def event_withheld() -> None:
    """One event of each user never leaves: another that has left goes once more in its place, and is confirmed.

    Who adds amounts up is wrong for ever; who looks at ``sequence`` knows that something is missing. Equation 7, in any
    scenario; S47, where each subscriber says so.
    """
    left: list[_Messages] = []

    def making(make: Callable[[Happening], _Messages]) -> Callable[[Happening], _Messages]:
        def made(row: Happening) -> _Messages:
            if row.transaction.sequence == _WITHHELD and left:
                return left[0]
            left[:] = [make(row)]
            return left[0]

        return made

    replace(lane, "messages_of", making)
