"""The partitions whose leases we hold on one session: their epochs and their events' lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from workers.broker.publisher import Publisher
from workers.events.lane import Lane, ReadAfter
from workers.intake.inlets import Inlets
from workers.ledger.store.leases import Lease
from workers.ledger.store.marks import write_marks
from workers.ledger.store.session import Session
from workers.meters import Meters

Spawn = Callable[[Lane], "asyncio.Task[None]"]
"""Starts the reading of a lane."""


class Holdings:
    """What is ours, from taking a lease until it is given back or lost."""

    def __init__(self, session: Session, inlets: Inlets, read: ReadAfter, meters: Meters) -> None:
        self.epochs: dict[int, int] = {}
        self.lost: set[int] = set()
        """Lost by their epoch, with a lock that may still be ours and is of no use any more."""
        self._session = session
        self._inlets = inlets
        self._read = read
        self._meters = meters
        self._lanes: dict[int, Lane] = {}
        self._readers: dict[int, asyncio.Task[None]] = {}
        self._written: dict[int, int] = {}
        self._publisher: Publisher | None = None

    def add(self, lease: Lease, spawn: Spawn) -> None:
        """A lease is ours: its events go on from the mark, then its queue is consumed."""
        lane = Lane(lease.partition, mark=lease.confirmed, head=lease.position, read=self._read, meters=self._meters)
        self.epochs[lease.partition] = lease.epoch
        self._lanes[lease.partition] = lane
        self._written[lease.partition] = lease.confirmed
        self._readers[lease.partition] = spawn(lane)
        if self._publisher is not None:
            lane.attach(self._publisher)
        self._inlets.open(lease.partition)
        self._meters.owned.set(len(self.epochs))
        self._meters.partition_owned.labels(str(lease.partition)).set(1)

    def attach(self, publisher: Publisher) -> None:
        """All lanes go on with a new publisher."""
        self._publisher = publisher
        for lane in self._lanes.values():
            lane.attach(publisher)

    def lane(self, partition: int) -> Lane | None:
        """The partition's lane while it is ours."""
        return self._lanes.get(partition)

    def marks(self, partitions: Iterable[int]) -> dict[int, int]:
        """How far these partitions' events are confirmed, where that is news to the database."""
        news: dict[int, int] = {}
        for partition in partitions:
            lane = self._lanes.get(partition)
            if lane is not None and lane.mark > self._written[partition]:
                news[partition] = lane.mark
        return news

    def wrote(self, marks: dict[int, int]) -> None:
        """These marks are in the database."""
        for partition, mark in marks.items():
            if partition in self._written:
                self._written[partition] = max(mark, self._written[partition])

    def lose(self, partitions: Iterable[int]) -> None:
        """These are somebody else's by now: nothing more is taken from them, sent for them, or published."""
        for partition in list(partitions):
            self._inlets.drop(partition)
            self.forget(partition)
            self.lost.add(partition)

    def forget(self, partition: int) -> None:
        """Ends the partition's lane."""
        self.epochs.pop(partition, None)
        self._written.pop(partition, None)
        lane = self._lanes.pop(partition, None)
        if lane is not None:
            lane.end()
        reader = self._readers.pop(partition, None)
        if reader is not None:
            reader.cancel()
        self._meters.owned.set(len(self.epochs))
        self._meters.partition_owned.labels(str(partition)).set(0)

    async def write_marks(self, partitions: Iterable[int]) -> None:
        """Writes what is news. Raises ``LeaseLost`` and the other faults of the ledger."""
        news = self.marks(partitions)
        if news:
            await write_marks(self._session, {number: self.epochs[number] for number in news}, news)
            self.wrote(news)

    async def flushed(self) -> None:
        """Returns once all events are confirmed."""
        for lane in list(self._lanes.values()):
            await lane.flushed()
