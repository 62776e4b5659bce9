"""The statistics' rows. Every function raises a ``Fault`` where the database cannot be used.

Tables of statistics are named without their schema: who counts anew sets tables of its own before them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from workers.ledger.store.session import Session, Statements
from workers.ledger.store.statements import statement
from workers.usage.counting import count
from workers.usage.model import Counted, Entry, Known, Place

SCHEMA_NEEDED: Final = 30
"""The last migration that this room's statements were written with."""
SETTINGS: Final = {
    # Rows and place are committed together, and both can be had again from the ledger: a commit that a crash of the
    # server takes back is counted again. So nobody waits for the disk, that is the ledger's.
    "synchronous_commit": "off",
    "search_path": "credits",
}
ACCOUNTS_AT_ONCE: Final = 500
"""Accounts that are counted from the ledger by one statement."""
_EACH_AT_ONCE: Final = 400
"""Transactions of one account that are counted from the ledger by one statement, which has seconds to answer."""
_LOOKED_AT_ONCE: Final = 20_000
_FIRST_UUID: Final = UUID(int=0)

_statement = partial(statement, folder=Path(__file__).parent / "sql")
_ADD_ACCOUNTS: Final = _statement("add_accounts")
_LOCK_PROGRESS: Final = _statement("lock_progress")
_FIND_MODELS: Final = _statement("find_models")
_WRITE_COUNTS: Final = _statement("write_counts")
_COUNT_BEHIND: Final = _statement("count_behind")
_LIST_BEHIND: Final = _statement("list_behind")
_FIND_PLACE: Final = _statement("find_place")
_MOVE_READER: Final = _statement("move_reader")
_TRY_LOCK: Final = _statement("try_lock")


class UsageStore:
    """On one session, which also holds the right to count."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def try_lock(self) -> bool:
        """Whether this session is the one that counts, from now on."""
        return await self._session.fetch_value(_TRY_LOCK)

    async def touch(self) -> None:
        """Keeps the session, and what it holds, for some more seconds."""
        await self._session.fetch_value("SELECT 1")

    async def find_place(self) -> Place | None:
        """Up to where the stream was counted; ``None`` where it never was."""
        rows = await self._session.fetch(_FIND_PLACE)
        return Place(rows[0]["stream_offset"], rows[0]["event_id"]) if rows else None

    async def count(self, entries: Sequence[Entry], place: Place | None) -> Counted:
        """Counts a batch, fills its gaps from the ledger, and moves the place, all or nothing."""
        async with self._session.transaction() as run:
            known = await lock_accounts(run, {entry.account_id for entry in entries})
            counted = count(entries, known, await _models(run, entries))
            await _write(run, counted)
            await count_behind(run, counted.behind)
            await _move(run, place)
        return counted

    async def count_from_ledger(self, accounts: Collection[UUID], place: Place | None = None) -> int:
        """Counts all that these accounts have in the ledger, and moves the place; answers how many went on."""
        async with self._session.transaction() as run:
            await lock_accounts(run, accounts)
            number = await count_behind(run, accounts)
            await _move(run, place)
        return number

    async def catch_up(self, older_than: timedelta = timedelta(0)) -> int:
        """Counts all that the ledger has, in steps, of accounts that are behind by so much; answers how many those
        were."""
        number, last = 0, _FIRST_UUID
        while last is not None:
            (part,) = await self._session.fetch(_LIST_BEHIND, last, _LOOKED_AT_ONCE, older_than)
            last, behind = part["last"], part["behind"]
            for start in range(0, len(behind), ACCOUNTS_AT_ONCE):
                number += await self.count_from_ledger(behind[start : start + ACCOUNTS_AT_ONCE])
        return number


async def lock_accounts(run: Statements, accounts: Iterable[UUID]) -> dict[UUID, Known]:
    """Up to where each account is known; nobody changes that, or forgets its models, until the transaction ends.

    Raises a ``Fault``.
    """
    wanted = sorted(accounts)
    rows = await run.fetch(_LOCK_PROGRESS, wanted)
    if len(rows) < len(wanted):
        await run.fetch(_ADD_ACCOUNTS, wanted)
        rows = await run.fetch(_LOCK_PROGRESS, wanted)
    return {row["account_id"]: Known(row["sequence"], row["models_forgotten"]) for row in rows}


async def _models(run: Statements, entries: Iterable[Entry]) -> dict[UUID, str]:
    asked = [(entry.account_id, entry.usage_id) for entry in entries if entry.kind == "refund"]
    if not asked:
        return {}
    accounts, usages = zip(*asked, strict=True)
    return {row["id"]: row["model"] for row in await run.fetch(_FIND_MODELS, accounts, usages)}


async def _write(run: Statements, counted: Counted) -> None:
    if not counted.progress:
        return
    cells = sorted(counted.cells.items())
    columns = zip(*((*cell, sums.uses, sums.credits, sums.refunds, sums.refunded) for cell, sums in cells), strict=True)
    await run.fetch(
        _WRITE_COUNTS, *(list(columns) or [()] * 9), list(counted.progress), list(counted.progress.values())
    )


async def count_behind(run: Statements, accounts: Iterable[UUID]) -> int:
    """Counts, inside a transaction that has locked them, what of these accounts the ledger has; answers how many went
    on. Raises a ``Fault``."""
    wanted = list(accounts)
    went_on: set[UUID] = set()
    while wanted:
        wanted = [row["account_id"] for row in await run.fetch(_COUNT_BEHIND, wanted, _EACH_AT_ONCE)]
        went_on.update(wanted)
    return len(went_on)


async def _move(run: Statements, place: Place | None) -> None:
    if place is not None:
        await run.fetch(_MOVE_READER, place.offset, place.event_id)
