"""The fence: the first statement of every transaction locks its partitions' rows and looks at their epochs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from workers.ledger.faults import Broken, LeaseLost
from workers.ledger.store.session import Statements
from workers.ledger.store.statements import statement

_LOCK: Final = statement("lock_partitions")


class Passed(Struct, frozen=True):
    """Behind the fence: the database's clock, and the last position given out in each locked partition."""

    now: datetime
    positions: dict[int, int]


async def pass_fence(run: Statements, epochs: Mapping[int, int]) -> Passed:
    """Locks the partitions, until the transaction ends. Raises ``LeaseLost`` with those whose epoch is another one."""
    rows = await run.fetch(_LOCK, sorted(epochs))
    if not rows:
        raise Broken("a transaction was begun for no partition of this ledger")
    found = {row["partition"]: row["epoch"] for row in rows}
    lost = [partition for partition, epoch in epochs.items() if found.get(partition) != epoch]
    if lost:
        raise LeaseLost(lost)
    return Passed(rows[0]["now"], {row["partition"]: row["position"] for row in rows})
