"""A fault, and forces, in who owns a partition."""

# pyright: reportPrivateUsage=false
# A fault sits inside of what it spoils.

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from tests.faults.mutants.patching import replace
from tests.faults.twins import TWIN_OF_ZERO
from workers.intake import holdings, inlet, rounds
from workers.ledger import execute
from workers.ledger.faults import LeaseLost
from workers.ledger.store import fence, leases, session
from workers.ledger.store.fence import Passed
from workers.ledger.store.leases import Lease, Leases
from workers.ledger.store.session import Statements


def no_epoch_check() -> None:
    """The fence locks and does not look: an owner that somebody else has followed goes on writing.

    The keys and the accounts' locks still keep it from doubling anything; it can charge what its follower has refused
    (a message without ``message_id`` that was told "not enough credits", then a grant), and let a command of before the
    switch come behind one of after it. Equation 4, and the meter ``mana_fence_refusals_total`` that stays 0. S22: stop
    the owner with a batch in its hands (``before_begin:N:stop``), let a worker with ``every_partition`` follow, close
    the owner's connections to the broker, and let it go on, with ``patient_sessions`` or before PostgreSQL ends its
    session for silence (10 s).
    """

    async def passed(run: Statements, epochs: dict[int, int]) -> Passed:
        rows = await run.fetch(fence._LOCK, sorted(epochs))
        epochs.update((row["partition"], row["epoch"]) for row in rows)
        return Passed(rows[0]["now"], {row["partition"]: row["position"] for row in rows})

    def marking(write_marks: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def written(*given: Any) -> None:
            try:
                await write_marks(*given)
            except LeaseLost:
                return  # whoever looks is told nothing

        return written

    replace(execute, "pass_fence", lambda _: passed)
    replace(holdings, "write_marks", marking)


def every_partition() -> None:
    """No fault, but a force: this worker takes every partition, whoever holds the locks.

    Two of them take each other's partitions away, again and again; the epochs must keep that from costing a credit
    (S23), and a mutant needs somebody who follows an owner that still has its locks (S22).
    """

    async def take(self: Leases, partitions: Collection[int]) -> list[Lease]:
        await self._session.fetch(leases._LOCK, leases._PARTITION_LOCKS, list(partitions))
        taken = await self._raise_epochs(list(partitions))
        self._held.update(partitions)
        return taken

    def everything(workers: Iterable[str], partitions: int) -> Mapping[str, frozenset[int]]:
        return dict.fromkeys(workers, frozenset(range(partitions)))

    replace(Leases, "take", lambda _: take)
    replace(rounds, "shares", lambda _: everything)


def twin_queues() -> None:
    """No fault, but a force: this worker consumes the twins of its partitions' queues (``tests.faults.twins``).

    So two owners of the same partitions meet the same commands (S23).
    """

    def named(command_queue: Callable[[int], str]) -> Callable[[int], str]:
        return lambda partition: command_queue(TWIN_OF_ZERO + partition)

    replace(inlet, "command_queue", named)


def patient_sessions() -> None:
    """No fault, but a force: PostgreSQL does not end this worker's session for silence, so a pause costs it no lock.

    What keeps a paused owner from writing is the epoch alone then (S23).
    """
    never = {"idle_session_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    replace(session, "_SETTINGS", lambda settings: {**settings, **never})
