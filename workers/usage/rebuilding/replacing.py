"""Counts into tables of its own, and puts them in place of the real ones in one transaction."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from workers.ledger.store.fitness import check_durability
from workers.ledger.store.session import Session
from workers.ledger.store.statements import statement
from workers.usage.store import ACCOUNTS_AT_ONCE, SCHEMA_NEEDED, SETTINGS, UsageStore, count_behind, lock_accounts

_LOCK_WITHIN: Final = "60s"
"""As long as a batch of the process that counts may take, and some more."""
_SETTINGS: Final = {
    **SETTINGS,
    "search_path": "pg_temp, credits",
    "synchronous_commit": "on",
    "lock_timeout": _LOCK_WITHIN,
    # Tables are read whole here, which a batch never does.
    "enable_seqscan": "on",
    "enable_hashjoin": "on",
    "enable_mergejoin": "on",
    "plan_cache_mode": "auto",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
_statement = partial(statement, folder=Path(__file__).parent / "sql")
_MAKE_TABLES: Final = (_statement("make_stats"), _statement("make_progress"))
_LOCK: Final = _statement("lock")
_LIST_AHEAD: Final = _statement("list_ahead")
_DIFFERING: Final = _statement("differing")
_REPLACE_STATS: Final = _statement("replace_stats")
_REPLACE_PROGRESS: Final = _statement("replace_progress")


class Replacing:
    """``store`` counts into the tables of this session, which begin empty."""

    def __init__(self, session: Session) -> None:
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
        the ledger. Answers of how many accounts that was so, and how many rows were others."""
        async with self._session.transaction() as run:
            await run.run(_LOCK)
            ahead = [row["account_id"] for row in await run.fetch(_LIST_AHEAD)]
            for start in range(0, len(ahead), ACCOUNTS_AT_ONCE):
                part = ahead[start : start + ACCOUNTS_AT_ONCE]
                await lock_accounts(run, part)
                await count_behind(run, part)
            differing = await run.fetch_value(_DIFFERING)
            await run.run("DELETE FROM credits.usage_stats")
            await run.fetch(_REPLACE_STATS)
            await run.fetch(_REPLACE_PROGRESS)
        return len(ahead), differing
