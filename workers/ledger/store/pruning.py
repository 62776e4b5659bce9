"""Keeps the table of refusals bounded: a message is not delivered again after a day.

Those for an app's excess are kept ten minutes, since a flood makes thousands of them a second.
"""

from __future__ import annotations

from typing import Final

from workers.ledger.store.session import Session
from workers.ledger.store.statements import statement

PRUNED_AT_ONCE: Final = 1_000
"""Few enough that a batch waiting behind it does not notice (some milliseconds)."""

_PRUNE: Final = statement("prune_refusals")


async def prune_refusals(session: Session, limit: int = PRUNED_AT_ONCE) -> int:
    """Deletes refusals that are old, ``limit`` at most; answers how many it were."""
    return len(await session.fetch(_PRUNE, limit))
