"""Leases: which worker owns which partition, as locks of the session that runs its batches.

A lock cannot outlive its session, so an owner that dies or is cut off loses it without anybody's help; the epoch in
``credits.partitions`` then keeps out what it may still send.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from workers.ledger.faults import Broken, Fault, TryAgain
from workers.ledger.store.session import Session
from workers.ledger.store.statements import statement

_PARTITION_LOCKS: Final = 0x6D616E61
"""First half of the partitions' lock keys ("mana"); the second is the partition."""

_WORKER_LOCK: Final = statement("worker_lock")
_REGISTER: Final = statement("worker_register")
_PRUNE: Final = statement("workers_prune")
_HEARTBEAT: Final = statement("heartbeat")
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
        worker_id, name = self._registered()
        return [row["id"] for row in await self._session.fetch(_HEARTBEAT, worker_id, name)]

    async def take(self, partition: int) -> Lease | None:
        """Takes a partition's lease and raises its epoch; ``None`` while another session holds it.

        Raises ``Broken`` for a partition that this ledger has not, or that is ours already.
        """
        if partition in self._held:
            raise Broken(f"partition {partition} is leased already")
        if not await self._session.fetch_value(_LOCK, _PARTITION_LOCKS, partition):
            return None
        lease = await self._raise_epoch(partition)
        self._held.add(partition)
        return lease

    async def _raise_epoch(self, partition: int) -> Lease:
        try:
            raised = await self._session.fetch(_RAISE, partition)
            if not raised:
                raise Broken(f"the ledger has no partition {partition}")
        except Fault:
            # A lock without an epoch would keep everybody out, ourselves too.
            if not self._session.is_closed:
                await self._session.fetch_value(_UNLOCK, _PARTITION_LOCKS, partition)
            raise
        (row,) = raised
        return Lease(partition, row["epoch"], row["position"], row["confirmed"])

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
