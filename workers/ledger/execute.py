"""The one database transaction of a batch: fence, state, decision, writing, commit. Nothing goes back and forth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from contracts.replies import Reply
from workers.crash import crash
from workers.ledger.faults import BatchRejected, LeaseLost
from workers.ledger.happening import Happening
from workers.ledger.model import Entry, Outcome, Request, State, Terms
from workers.ledger.rules import decide
from workers.ledger.store.fence import Passed, pass_fence
from workers.ledger.store.loading import load
from workers.ledger.store.session import Session
from workers.ledger.store.writing import Progress, write


class Committed(Struct, frozen=True):
    """A batch that is durable: a reply for each request in the same order, each partition's events in the order of
    their positions, and the database's clock at its beginning."""

    replies: list[Reply]
    events: dict[int, list[Happening]]
    now: datetime


class Executor:
    """Carries out batches on the session that holds the leases."""

    def __init__(self, session: Session, terms: Terms, ids: Iterator[str]) -> None:
        """``ids`` yields fresh UUIDs (version 7) as text, for transactions and lots."""
        self._session = session
        self._terms = terms
        self._ids = ids

    async def execute(
        self, requests: Sequence[Request], epochs: Mapping[int, int], marks: Mapping[int, int]
    ) -> Committed:
        """Carries out a batch, whole or not at all.

        ``epochs`` are those of our leases, ``marks`` the positions up to which events are confirmed; both by partition.
        Raises a ``Fault``: ``LeaseLost`` before anything was done; ``ConnectionLost`` where it may be done or not.
        """
        fenced = _epochs_of(requests, epochs, marks)
        crash("before_begin")
        async with self._session.transaction() as run:
            passed = await pass_fence(run, fenced)
            state = await load(run, requests)
            outcome = self._decide(state, requests, passed.now)
            placed = _place(outcome.entries, passed.positions)
            await write(run, outcome, placed, _progress(fenced, passed, placed, marks))
            crash("before_commit")
        crash("after_commit")
        return Committed(outcome.replies, _events(placed), passed.now)

    def _decide(self, state: State, requests: Sequence[Request], now: datetime) -> Outcome:
        try:
            return decide(state, requests, now=now, terms=self._terms, ids=self._ids)
        except MemoryError:
            raise
        except Exception as error:  # whatever the rules stumble over: halving finds the command that it was
            raise BatchRejected(f"the rules failed: {error!r}") from error


def _epochs_of(requests: Sequence[Request], epochs: Mapping[int, int], marks: Mapping[int, int]) -> dict[int, int]:
    """The epochs of the partitions that the batch touches."""
    touched = {request.partition for request in requests}.union(marks)
    unleased = [partition for partition in touched if partition not in epochs]
    if unleased:
        raise LeaseLost(unleased)
    return {partition: epochs[partition] for partition in touched}


def _place(entries: Sequence[Entry], positions: Mapping[int, int]) -> list[tuple[int, Entry]]:
    """Each entry with its position: one more than the last in its partition."""
    last = dict(positions)
    placed: list[tuple[int, Entry]] = []
    for entry in entries:
        last[entry.partition] += 1
        placed.append((last[entry.partition], entry))
    return placed


def _progress(
    fenced: Mapping[int, int], passed: Passed, placed: Sequence[tuple[int, Entry]], marks: Mapping[int, int]
) -> list[Progress]:
    """The partitions that move on: by a position, or by a mark."""
    reached = {entry.partition: position for position, entry in placed}
    return [
        Progress(
            partition, fenced[partition], reached.get(partition, passed.positions[partition]), marks.get(partition, 0)
        )
        for partition in sorted(reached.keys() | marks.keys())
    ]


def _events(placed: Sequence[tuple[int, Entry]]) -> dict[int, list[Happening]]:
    events: dict[int, list[Happening]] = {}
    for position, entry in placed:
        happening = Happening(position, entry.transaction, entry.balance, entry.traceparent, entry.low_threshold)
        events.setdefault(entry.partition, []).append(happening)
    return events
