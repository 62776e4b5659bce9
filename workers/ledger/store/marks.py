"""The marks: up to which position a partition's events are confirmed by the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workers.ledger.faults import LeaseLost
from workers.ledger.store.session import Session
from workers.ledger.store.statements import statement

_WRITE: Final = statement("write_marks")
_LOCK: Final = statement("lock_partitions")


async def write_marks(session: Session, epochs: Mapping[int, int], marks: Mapping[int, int]) -> None:
    """Moves marks (partition to position) forward, never back, while no batch comes along that would take them.

    Raises ``LeaseLost`` with the partitions whose epoch is not ours any more; the others' marks are written.
    """
    ours = sorted(partition for partition in marks if partition in epochs)
    async with session.transaction() as run:
        await run.fetch(_LOCK, ours)
        written = await run.fetch(_WRITE, ours, [epochs[number] for number in ours], [marks[number] for number in ours])
    lost = set(marks) - {row["partition"] for row in written}
    if lost:
        raise LeaseLost(lost)
