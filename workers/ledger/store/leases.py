"""Leases: which worker owns which partition, as locks of the session that runs its batches.

A lock cannot outlive its session, so an owner that dies or is cut off loses it without anybody's help; the epoch in
``credits.partitions`` then keeps out what it may still send.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from msgspec import Struct

from workers.ledger.faults import Broken, TryAgain
from workers.ledger.store.session import Session
from workers.ledger.store.statements import statement

_PARTITION_LOCKS: Final = 0x6D616E61
"""First half of the partitions' lock keys ("mana"); the second is the partition."""

_WORKER_LOCK: Final = statement("worker_lock")
_REGISTER: Final = statement("worker_register")
_PRUNE: Final = statement("workers_prune")
_HEARTBEAT: Final = statement("heartbeat")
_LIVING: Final = statement("living")
_LEAVE: Final = statement("worker_leave")
_LOCK: Final = statement("lease_lock")
_UNLOCK: Final = statement("lease_unlock")
_RAISE: Final = statement("lease_raise")
_UNLOCK_ALL: Final = statement("unlock_all")
_PARTITIONS: Final = statement("partitions_count")


class Lease(Struct, frozen=True):
    """A partition that is ours: since which epoch, the last position given out, the last one confirmed as event."""

    partition: int
    epoch: int
    position: int
    confirmed: int


class Leases:
    """The leases of one worker, on one session. A lost session (``ConnectionLost``) is the loss of all of them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: set[int] = set()
        self._worker: tuple[str, str] | None = None

    async def partitions(self) -> int:
        """How many partitions this ledger has; they are numbered from 0."""
        return int(await self._session.fetch_value(_PARTITIONS))

    async def register(self, worker_id: str, name: str) -> None:
        """Makes us known as living. Raises ``TryAgain`` while another session goes by this id."""
        if not await self._session.fetch_value(_WORKER_LOCK, worker_id):
            raise TryAgain(f"another session is registered as worker {worker_id}")
        await self._session.fetch(_REGISTER, worker_id, name)
        await self._session.fetch(_PRUNE)
        self._worker = (worker_id, name)

    async def heartbeat(self) -> list[str]:
        """Gives our sign of life; answers the ids of all workers that live, ours among them, sorted."""
        await self._session.fetch(_HEARTBEAT, *self._registered())
        return await self.living()

    async def living(self) -> list[str]:
        """The same without a sign of life: a question that writes nothing."""
        return [row["id"] for row in await self._session.fetch(_LIVING)]

    async def take(self, partitions: Collection[int]) -> list[Lease]:
        """Takes those of these leases that no other session holds, and raises their epochs.

        One whose row is locked is left, such as while the last batch of the one before is being rolled back.
        Raises ``Broken`` for a partition that this ledger has not, or that is ours already.
        """
        if leased := self._held.intersection(partitions):
            raise Broken(f"partitions {sorted(leased)} are leased already")
        free = [row["partition"] for row in await self._session.fetch(_LOCK, _PARTITION_LOCKS, list(partitions))]
        if not free:
            return []
        leases = await self._raise_epochs(free)
        self._held.update(lease.partition for lease in leases)
        return leases

    async def _raise_epochs(self, partitions: list[int]) -> list[Lease]:
        raised: list[Lease] = []
        try:
            found = await self._session.fetch(_RAISE, partitions)
            if len(found) != len(partitions):
                raise Broken(f"the ledger has not all of the partitions {partitions}")
            raised = [Lease(**row) for row in found if row["epoch"] is not None]
        finally:
            # A lock without an epoch would keep everybody out, ourselves too.
            await self._unlock(set(partitions).difference(lease.partition for lease in raised))
        return raised

    async def _unlock(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            if self._session.is_closed:
                return
            await self._session.fetch_value(_UNLOCK, _PARTITION_LOCKS, partition)

    async def release(self, partition: int) -> None:
        """Gives a lease back, once its last batch is done and its channel closed. Without it nothing happens."""
        if partition in self._held:
            await self._session.fetch_value(_UNLOCK, _PARTITION_LOCKS, partition)
            self._held.discard(partition)

    async def leave(self) -> None:
        """Gives all leases back, and is no worker any more."""
        if self._worker is not None:
            await self._session.fetch(_LEAVE, self._worker[0])
        await self._session.fetch_value(_UNLOCK_ALL)
        self._held.clear()
        self._worker = None

    def _registered(self) -> tuple[str, str]:
        if self._worker is None:
            raise Broken("not registered as a worker yet")
        return self._worker
