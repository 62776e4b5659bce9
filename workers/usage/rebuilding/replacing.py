"""Counts into tables of its own, and puts them in place of the real ones, some hundred accounts in each transaction.

Each account's statistics are right by themselves, so none has to wait for the others to be exchanged: who counts, and
who deletes users, waits for one such part alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from workers.ledger.store.fitness import check_durability
from workers.ledger.store.session import Session, Statements
from workers.ledger.store.statements import statement
from workers.usage.store import ACCOUNTS_AT_ONCE, SCHEMA_NEEDED, SETTINGS, UsageStore, count_behind, lock_accounts

_LOCK_WITHIN: Final = "60s"
"""As long as a batch of the process that counts may take, and some more."""
_SETTINGS: Final = {
    **SETTINGS,
    "search_path": "pg_temp, credits",
    "synchronous_commit": "on",
    "lock_timeout": _LOCK_WITHIN,
    # Much is read at once here, which a batch never does.
    "enable_seqscan": "on",
    "enable_hashjoin": "on",
    "enable_mergejoin": "on",
    "plan_cache_mode": "auto",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
_statement = partial(statement, folder=Path(__file__).parent / "sql")
_MAKE_TABLES: Final = (_statement("make_stats"), _statement("make_progress"))
_FIGURES: Final = ("ANALYZE pg_temp.usage_stats", "ANALYZE pg_temp.usage_progress")
"""For the planner: nobody else looks at a session's own tables, and parts of them must not be looked for row by row."""
_FIRST_UUID: Final = UUID(int=0)
_LIST_PART: Final = _statement("list_part")
_ADD_THERE: Final = _statement("add_there")
_LOCK_THERE: Final = _statement("lock_there")
_LIST_AHEAD: Final = _statement("list_ahead")
_DIFFERING: Final = _statement("differing")
_REMOVE_STATS: Final = _statement("remove_stats")
_REPLACE_STATS: Final = _statement("replace_stats")
_REPLACE_PROGRESS: Final = _statement("replace_progress")


class Replacing:
    """``store`` counts into the tables of this session, which begin empty; ``placed`` accounts are in place."""

    def __init__(self, session: Session) -> None:
        self.placed = 0
        self.store = UsageStore(session)
        self._session = session

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, name: str) -> AsyncGenerator[Replacing]:
        """Raises ``NotDurable`` for a schema that does not fit, and other ``Fault`` s."""
        session = await Session.open(url, application_name=name, settings=_SETTINGS, answer_within_s=None)
        try:
            await check_durability(session, SCHEMA_NEEDED)
            for table in _MAKE_TABLES:
                await session.fetch(table)
            yield cls(session)
        finally:
            session.abort()

    async def replace(self) -> tuple[int, int]:
        """Puts what was counted in place of what is there; what was counted there meanwhile is counted here first, from
        the ledger. Answers of how many accounts that was so, and how many rows were others.

        What is ``placed`` stays, also where it does not come to its end.
        """
        for figures in _FIGURES:
            await self._session.fetch(figures)
        ahead = differing = 0
        last = _FIRST_UUID
        while part := [row["account_id"] for row in await self._session.fetch(_LIST_PART, last, ACCOUNTS_AT_ONCE)]:
            async with self._session.transaction() as run:
                counted, others = await _exchange(run, part)
            ahead, differing, last = ahead + counted, differing + others, part[-1]
            self.placed += len(part)
        return ahead, differing


async def _exchange(run: Statements, accounts: Sequence[UUID]) -> tuple[int, int]:
    await run.fetch(_ADD_THERE, accounts)
    await run.fetch(_LOCK_THERE, accounts)
    ahead = [row["account_id"] for row in await run.fetch(_LIST_AHEAD, accounts)]
    if ahead:
        await lock_accounts(run, ahead)
        await count_behind(run, ahead)
    differing = await run.fetch_value(_DIFFERING, accounts)
    for statement_of_part in (_REMOVE_STATS, _REPLACE_STATS, _REPLACE_PROGRESS):
        await run.fetch(statement_of_part, accounts)
    return len(ahead), differing
