"""A worker's life on one database session: leases, batches, events; it ends with the session, or in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import structlog
from msgspec import Struct

from workers.broker.publisher import Publisher
from workers.crash import crash
from workers.events.lane import ReadAfter
from workers.intake.batching import Ready
from workers.intake.commandlink import CommandLink
from workers.intake.delivering import deliver
from workers.intake.engine import Engine
from workers.intake.holdings import Holdings
from workers.intake.inlets import Inlets
from workers.intake.rounds import Rounds, Spawner
from workers.intake.settling import Settled
from workers.intake.watching import Watching
from workers.ledger.execute import Executor
from workers.ledger.faults import Fault, LeaseLost, TryAgain
from workers.ledger.model import Terms
from workers.ledger.store.apps import Directory
from workers.ledger.store.leases import Leases
from workers.ledger.store.pruning import PRUNED_AT_ONCE, prune_refusals
from workers.ledger.store.session import Session
from workers.meters import Meters

_log = structlog.get_logger(__name__)

_MARKS_SECONDS: Final = 1.0
"""How often marks are written that no batch has taken along."""
_TIDY_SECONDS: Final = 60.0
_TIDY_AGAIN_SECONDS: Final = 0.1
_CLOSE_SECONDS: Final = 5.0
_FLUSH_SECONDS: Final = 3.0


class Station(Struct, frozen=True):
    """What outlives a term: who we are, the broker's side, what is configured."""

    worker_id: str
    name: str
    partitions: int
    batch_max: int
    terms: Terms
    ids: Iterator[str]
    link: CommandLink
    inlets: Inlets
    ready: Ready
    directory: Directory
    read_after: ReadAfter
    meters: Meters
    watching: Watching
    refusals_kept: timedelta


class Term:
    """From the first lease to the last."""

    def __init__(self, station: Station, session: Session) -> None:
        self._station = station
        self._session = session
        self._leases = Leases(session)
        self.holdings = Holdings(session, station.inlets, station.read_after, station.meters)
        self.rounds = Rounds(
            station.worker_id,
            station.name,
            station.partitions,
            leases=self._leases,
            holdings=self.holdings,
            inlets=station.inlets,
            link=station.link,
        )
        executor = Executor(session, station.terms, station.ids)
        settler = station.watching.settler(executor.execute, self.holdings, station.meters)
        self._engine = Engine(
            station.ready,
            settler,
            self._out,
            station.batch_max,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until told to stop, then gives everything back in good order.

        Raises the ledger's faults, also as a group; channels are closed then, and the session is gone.
        """
        try:
            await self._station.directory.load(self._session)
            async with asyncio.TaskGroup() as group:
                rounds = group.create_task(self.rounds.run(Spawner(group)))
                engine = group.create_task(self._engine.run())
                following = self._station.directory.follow(self._session)
                chores = [group.create_task(work) for work in (self._write_marks(), self._tidy(), following)]
                await stopping.wait()
                crash("drain_start")
                self.rounds.stop()
                await asyncio.wait({rounds})
                await self._drain(engine)
                for chore in chores:
                    chore.cancel()
        finally:
            await self._station.inlets.drop_all()
            for partition in list(self.holdings.epochs):
                self.holdings.forget(partition)
            self._session.abort()

    def attach(self, publisher: Publisher) -> None:
        """Events go on with a new publisher."""
        self.holdings.attach(publisher)

    def _out(self, settled: Settled) -> None:
        deliver(settled, self.holdings, self._station.meters)
        self._station.watching.answered(settled)

    async def _drain(self, engine: asyncio.Task[None]) -> None:
        """The running batch is answered, the rest goes back in order, events and marks are finished."""
        self._engine.stop()
        await asyncio.wait({engine})
        inlets = self._station.inlets
        await asyncio.gather(*(inlets.close(partition, _CLOSE_SECONDS) for partition in self.holdings.epochs))
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self.holdings.flushed()
        except TimeoutError:
            _log.warning("events are left to the next owner")
        try:
            await self.holdings.write_marks(list(self.holdings.epochs))
            await self._leases.leave()
            await self._session.close()
        except Fault as fault:  # the server frees what we could not give back, and the next owner repeats some events
            _log.warning("not everything was given back in order", reason=str(fault))
        for partition in list(self.holdings.epochs):
            self.holdings.forget(partition)

    async def _write_marks(self) -> None:
        while True:
            await asyncio.sleep(_MARKS_SECONDS)
            try:
                await self.holdings.write_marks(list(self.holdings.epochs))
            except LeaseLost as lost:
                self._station.meters.fence_refusals.inc(len(lost.partitions))
                self.holdings.lose(lost.partitions)
            except TryAgain as error:
                _log.warning("marks are written later", reason=str(error))

    async def _tidy(self) -> None:
        """Keeps the table of refusals bounded."""
        pruned = 0
        while True:
            await asyncio.sleep(_TIDY_AGAIN_SECONDS if pruned == PRUNED_AT_ONCE else _TIDY_SECONDS)
            try:
                pruned = await prune_refusals(self._session, PRUNED_AT_ONCE, self._station.refusals_kept)
            except TryAgain as error:
                _log.warning("refusals are pruned later", reason=str(error))
