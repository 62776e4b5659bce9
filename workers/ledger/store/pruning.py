"""Keeps the table of refusals bounded: a message that was refused is not delivered again after so long.

Those for an app's excess are kept ten minutes, since a flood makes thousands of them a second.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from workers.ledger.store.session import Session
from workers.ledger.store.statements import statement

PRUNED_AT_ONCE: Final = 1_000
"""Few enough that a batch waiting behind it does not notice (some milliseconds)."""

REFUSALS_KEPT: Final = timedelta(days=1)
"""Longer than an outage in which a message that was refused waits for its acknowledgement (docs/operations/keep.md)."""

_PRUNE: Final = statement("prune_refusals")


async def prune_refusals(session: Session, limit: int = PRUNED_AT_ONCE, kept: timedelta = REFUSALS_KEPT) -> int:
    """Deletes refusals that are older than ``kept``, ``limit`` at most; answers how many it were."""
    return len(await session.fetch(_PRUNE, limit, kept))
