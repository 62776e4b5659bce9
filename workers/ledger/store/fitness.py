"""Whether the server and its schema are what committed credits can rest on."""

from __future__ import annotations

from typing import Final

from contracts.schema import KNOWN
from workers.ledger.faults import Broken, NotDurable
from workers.ledger.store.session import Session
from workers.ledger.store.statements import statement

SCHEMA_NEEDED: Final = 36
"""The last migration that this code does not do without."""

_DURABILITY: Final = statement("durability")
_SCHEMA_VERSION: Final = statement("schema_version")
_SAFE: Final = frozenset({"on", "remote_apply"})
"""What counts as safe, for each of the three settings; ``remote_apply`` is more than ``on``."""


async def check_durability(session: Session, schema_needed: int = SCHEMA_NEEDED) -> None:
    """Raises ``NotDurable`` where a committed credit could be lost, or the schema is not the one this code knows: by
    default the ledger's; other rooms say with which migration theirs was written."""
    for row in await session.fetch(_DURABILITY):
        if row["setting"] not in _SAFE:
            raise NotDurable(f"PostgreSQL runs with {row['name']} = {row['setting']}: set it to on.")
    await _check_schema(session, schema_needed)


async def _check_schema(session: Session, needed: int) -> None:
    try:
        (version,) = await session.fetch(_SCHEMA_VERSION)
    except Broken as error:
        raise NotDurable("The database has no ledger yet: run the migrations first (./mana migrate).") from error
    if version["newest"] < needed:
        raise NotDurable(
            f"The schema stands at {version['newest']:04d}, this worker needs {needed:04d}: run ./mana migrate."
        )
    if version["contracted"] > KNOWN:
        raise NotDurable(
            f"The schema has gone on to {version['contracted']:04d}, which this worker is too old for: update it."
        )
