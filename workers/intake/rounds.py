"""Every two seconds: we live, who else does, and which partitions are ours by that; sooner where one came or went."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Final

import structlog

from workers.intake.commandlink import CommandLink
from workers.intake.holdings import Holdings
from workers.intake.inlets import Inlets
from workers.intake.shares import shares
from workers.ledger.faults import LeaseLost, TryAgain
from workers.ledger.store.leases import Leases
from workers.waiting import wait_at_most

_log = structlog.get_logger(__name__)

ROUND_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.5
"""Between looks at who lives, which write nothing: so soon are a dead worker's partitions taken over."""
_EAGER_SECONDS: Final = 0.3
"""Between rounds while a partition that should be ours is still somebody else's."""
_FINISH_SECONDS: Final = 5.0
"""How long a partition that is given back may take for what was taken from it."""
_CUT_OFF_SECONDS: Final = 3.0
"""Without a connection to the broker for so long we do not count as living: others may still have one."""


class Spawner:
    """Runs what belongs to a term, for as long as the term lasts."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group

    def __call__(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        return self._group.create_task(work)


class Rounds:
    """Takes and gives back partitions, so that all living workers come to even shares."""

    def __init__(
        self,
        worker_id: str,
        name: str,
        partitions: int,
        *,
        leases: Leases,
        holdings: Holdings,
        inlets: Inlets,
        link: CommandLink,
    ) -> None:
        self._id = worker_id
        self._name = name
        self._partitions = partitions
        self._leases = leases
        self._holdings = holdings
        self._inlets = inlets
        self._link = link
        self._giving: set[int] = set()
        self._living: list[str] = []
        self._registered = False
        self._stopping = asyncio.Event()
        self.answered_at: float | None = None
        """When the last whole round was over, on the loop's clock; ``None`` before the first."""

    async def run(self, spawn: Spawner) -> None:
        """Rounds until stopped. Raises ``ConnectionLost``, ``Broken``."""
        while not self._stopping.is_set():
            try:
                missing = await self._round(spawn)
                self.answered_at = asyncio.get_running_loop().time() if self._registered else None
                if missing:
                    await wait_at_most(self._stopping, _EAGER_SECONDS)
                else:
                    await self._until_news(ROUND_SECONDS)
            except TryAgain as error:
                _log.warning("a round of leases failed", reason=str(error))
                await wait_at_most(self._stopping, ROUND_SECONDS)

    async def _until_news(self, seconds: float) -> None:
        """Returns at the latest after so many seconds; sooner once others live than in the last round."""
        due = asyncio.get_running_loop().time() + seconds
        while not self._stopping.is_set() and (left := due - asyncio.get_running_loop().time()) > 0:
            await wait_at_most(self._stopping, min(left, _LOOK_SECONDS))
            if self._registered and await self._leases.living() != self._living:
                return

    def stop(self) -> None:
        """Begins no new round."""
        self._stopping.set()

    async def give_back(self, partition: int) -> None:
        """Finishes what was taken, closes the channel, ends the events, unlocks: in this order."""
        self._giving.add(partition)
        try:
            await self._inlets.close(partition, _FINISH_SECONDS)
            await self._holdings.write_marks([partition])
            self._holdings.forget(partition)
            await self._leases.release(partition)
            _log.info("partition given back", partition=partition)
        except (LeaseLost, TryAgain) as error:  # the next round unlocks; an older mark only repeats events
            _log.warning("partition given back in the next round", partition=partition, reason=str(error))
            self._holdings.lose([partition])
        finally:
            self._giving.discard(partition)

    async def _round(self, spawn: Spawner) -> bool:
        """Answers whether something that should be ours is not yet."""
        if self._link.down_for > _CUT_OFF_SECONDS:
            await self._step_aside()
            return False
        if not self._link.connected and not self._registered:
            return True
        if not self._registered:
            await self._leases.register(self._id, self._name)
            self._registered = True
        for partition in sorted(self._holdings.lost):
            await self._leases.release(partition)
            self._holdings.lost.discard(partition)
        self._living = await self._leases.heartbeat()
        ours = shares(self._living, self._partitions).get(self._id, frozenset())
        for partition in self._holdings.epochs.keys() - ours - self._giving:
            spawn(self.give_back(partition))
        # What was lost meanwhile is still locked by this session: it is unlocked first, in the next round.
        wanted = ours - self._holdings.epochs.keys() - self._giving - self._holdings.lost
        return await self._take(wanted, spawn) or bool(self._holdings.lost)

    async def _take(self, wanted: frozenset[int], spawn: Spawner) -> bool:
        if not wanted:
            return False
        leases = await self._leases.take(wanted)
        for lease in leases:
            self._holdings.add(lease, lambda lane: spawn(lane.catch_up()))
            _log.info("partition taken", partition=lease.partition, epoch=lease.epoch)
        return len(leases) < len(wanted)

    async def _step_aside(self) -> None:
        if self._registered:
            _log.warning("no broker: all partitions are given back", seconds=self._link.down_for)
            self._holdings.lose(list(self._holdings.epochs))
            await self._leases.leave()
            self._holdings.lost.clear()
            self._registered = False
