"""Ledger workers, kept alive, and whatever may happen to them.

async with Workers(instance, folder) as workers:
    first, second = await workers.start(2)
    await first.kill()
    await workers.even()
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from msgspec import Struct

from contracts.topology import WORKER_LOGIN
from ops import state
from ops.instance import Instance
from ops.program import Program
from ops.programs import Programs, python
from ops.status import Board
from tests.faults.tools.errors import ToolError
from tests.faults.tools.kept import READY_SECONDS, Kept
from tests.faults.tools.lives import recipe
from tests.faults.tools.telling import until
from tests.faults.tools.versions import run_from

EVEN_SECONDS: Final = 30.0
_MODULE: Final = "tests.faults.worker"


class Share(Struct, frozen=True):
    """A worker's partitions: whose lease it holds, and which it consumes."""

    owned: int
    consuming: int


class Worker(Kept):
    """A ledger worker."""

    async def share(self) -> Share:
        """Its partitions now; none while it does not answer."""
        meters = await self.meters()
        return Share(int(meters.get("mana_partitions_owned", 0)), int(meters.get("mana_partitions_consuming", 0)))


class Workers:
    """Those of one private instance; its own supervisor knows nothing of them."""

    def __init__(self, instance: Instance, folder: Path) -> None:
        self.amqp_url = instance.addresses.amqp_as(WORKER_LOGIN)
        self.database_url = instance.addresses.database_as("mana_worker")
        self.all: list[Worker] = []
        self.mutant: str | None = None
        """Mutants that each of them has, besides its own: a whole scenario is played with them."""
        self.partitions = partitions_of(instance)
        self._folder = folder
        self._board = Board(folder / "workers.json")
        self._programs = Programs(instance.addresses, self.partitions, {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(
        self,
        number: int = 1,
        *,
        crash: str | None = None,
        crash_each_life: bool = False,
        mutant: str | None = None,
        environment: Mapping[str, str] | None = None,
        amqp_url: str | None = None,
        database_url: str | None = None,
        checkout: Path | None = None,
        keep_alive: bool = True,
        ready: bool = True,
    ) -> list[Worker]:
        """Starts so many, and waits until they are ready.

        ``crash``: a crash point such as ``after_commit:3``, for the first life only unless it is for each. The
        addresses are there for proxies: ``amqp_url=proxy.url(workers.amqp_url)``. ``checkout``: another version's code.
        Who is not kept alive has one life.
        """
        mutants = ",".join(filter(None, (self.mutant, mutant)))
        given = {
            **(environment or {}),
            **({"AMQP_URL": amqp_url} if amqp_url else {}),
            **({"DATABASE_URL": database_url} if database_url else {}),
            **({"MANA_MUTANT": mutants} if mutants else {}),
        }
        first = {**given, "MANA_CRASH_AT": crash} if crash else given
        later = (first if crash_each_life else given) if keep_alive else None
        started = [self._born(len(self.all) + more, first, later, checkout) for more in range(number)]
        self.all += started
        if ready:
            await asyncio.gather(*(worker.ready(READY_SECONDS) for worker in started))
        return started

    @property
    def present(self) -> list[Worker]:
        """Those that should be working: not drained, not removed, not paused."""
        return [worker for worker in self.all if not worker.gone and not worker.paused]

    @property
    def running(self) -> list[Worker]:
        """Those of them that have a process now: not just dying, and not waiting to be started again."""
        return [worker for worker in self.present if worker.runs]

    @property
    def restarts(self) -> int:
        """How often any of them was started again."""
        return sum(worker.restarts for worker in self.all)

    async def shares(self) -> dict[str, Share]:
        """The shares of those that are present, by their names."""
        present = self.present
        shares = await asyncio.gather(*(worker.share() for worker in present))
        return {worker.name: share for worker, share in zip(present, shares, strict=True)}

    async def even(self, within: float = EVEN_SECONDS) -> float:
        """Returns once those present own and consume all partitions, and no one has two more than another.

        How long that took, in seconds. Raises ``AssertionError`` when it is not within so many.
        """
        told: dict[str, Share] = {}

        async def look() -> bool:
            shares = await self.shares()
            told.clear()
            told.update(shares)
            owned = [share.owned for share in told.values()]
            consumed = [share.consuming for share in told.values()]
            return bool(owned) and owned == consumed and sum(owned) == self.partitions and max(owned) - min(owned) <= 1

        try:
            return await until(look, "the shares are even", within)
        except AssertionError as late:
            raise AssertionError(f"{late}{told}") from None

    @asynccontextmanager
    async def asleep(self) -> AsyncGenerator[None]:
        """Those that run are paused until the block ends, however it ends."""
        async with AsyncExitStack() as sleepers:
            for worker in self.running:
                await worker.pause()
                sleepers.push_async_callback(worker.wake)
            yield

    async def stop(self) -> dict[str, int]:
        """Ends all: paused ones by SIGKILL, the others drained; the exit statuses by name."""
        paused = [worker for worker in self.all if worker.paused]
        await asyncio.gather(*(worker.remove() for worker in paused))
        left = [worker for worker in self.all if not worker.gone]
        statuses = await asyncio.gather(*(worker.drain() for worker in left))
        return {worker.name: status for worker, status in zip(left, statuses, strict=True)}

    def _born(
        self, number: int, first: Mapping[str, str], later: Mapping[str, str] | None, checkout: Path | None
    ) -> Worker:
        def program() -> Program:
            return run_from(checkout, replace(self._programs.worker(number), argv=python(_MODULE)))

        return Worker(recipe(program, first, later), self._folder, self._board)


def partitions_of(instance: Instance) -> int:
    """How many partitions the instance has."""
    remembered = state.load(instance.place.state)
    if remembered is None or remembered.partitions is None:
        raise ToolError(f"{instance.place.state} tells no number of partitions")
    return remembered.partitions
