"""Our own side, and the rows of the runs. Everything here raises a ``Fault`` where the database cannot be used."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec
from msgspec import Struct

from workers.ledger.store.session import Session
from workers.ledger.store.statements import statement
from workers.payments.model import Named
from workers.payments.reconciling.model import Here, Known

_statement = partial(statement, folder=Path(__file__).parent / "sql")
_PAGE: Final = 200
_ZERO: Final = "00000000-0000-0000-0000-000000000000"
_SILENCE: Final[Mapping[str, str]] = {"idle_session_timeout": "10min"}
"""Stripe is asked in between; but who is gone for good must not keep the lock."""

_FIND_UNKNOWN: Final = _statement("find_unknown")
_LOOK: Final = _statement("look")
_FIND_PURCHASES: Final = _statement("find_purchases")
_LIST_COMPLETED: Final = _statement("list_completed")
_LIST_UNSETTLED: Final = _statement("list_unsettled")
_TRY_LOCK: Final = _statement("try_lock")
_LAST_RUNS: Final = _statement("last_runs")
_BEGIN: Final = _statement("begin")
_END: Final = _statement("end")
_RELEASE_TOPUPS: Final = _statement("release_topups")
_HOLDS_TOPUPS: Final = _statement("holds_topups")
_FACTS: Final = msgspec.json.Decoder(dict[str, Known])

Asker = Literal["timer", "operator"]


class Standing(Struct, frozen=True):
    """An event that has arrived: whether it is done, and what somebody was told about it."""

    id: str
    outcome: str | None
    reason: str | None
    done: bool


class LastRuns(Struct, frozen=True):
    """When the timers' last run began, and the last that ended well."""

    begun_at: datetime | None
    well_at: datetime | None


class Counts(Struct, frozen=True, kw_only=True):
    """What a run came to: looked at, and found."""

    events: int
    missing: int
    payments: int
    differences: int
    fed: int
    unmended: int


class ReconcilingStore:
    """On one connection, which is not made again: the lock of a run would be gone with it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, name: str) -> AsyncGenerator[Self]:
        """Connected until the block ends."""
        session = await Session.open(url, application_name=name, settings=_SILENCE)
        try:
            yield cls(session)
        finally:
            session.abort()

    async def try_lock(self) -> bool:
        """Whether no other timer is at it; then none begins while this connection lives."""
        return await self._session.fetch_value(_TRY_LOCK)

    async def last_runs(self, *, live: bool) -> LastRuns:
        """Of the timers, in this mode."""
        (row,) = await self._session.fetch(_LAST_RUNS, live)
        return LastRuns(**row)

    async def begin(self, asker: Asker, *, live: bool, since: datetime) -> int:
        """A run's row; its number."""
        return await self._session.fetch_value(_BEGIN, asker, live, since)

    async def end(self, run: int, counts: Counts, problem: str | None) -> None:
        """``problem``: why it could not go on to its end."""
        await self._session.fetch(_END, run, *msgspec.structs.astuple(counts), problem)

    async def release_topups(self, *, live: bool, since: datetime | None) -> None:
        """Lets top-ups of a restored ledger go on; those that were last looked for before ``since`` stay held."""
        await self._session.fetch(_RELEASE_TOPUPS, live, since)

    async def holds_topups(self, *, live: bool) -> bool:
        """Whether they are held since this ledger was restored."""
        return await self._session.fetch_value(_HOLDS_TOPUPS, live)

    async def find_unknown(self, events: Collection[str]) -> set[str]:
        """Those of these events that never arrived."""
        return {row["id"] for row in await self._session.fetch(_FIND_UNKNOWN, list(events))}

    async def look(self, events: Collection[str]) -> list[Standing]:
        """How those of these events stand that have arrived."""
        return [Standing(**row) for row in await self._session.fetch(_LOOK, list(events))]

    async def find_purchases(self, payments: Sequence[str], names: Sequence[Named]) -> list[Here]:
        """The purchases that any of these lead to."""
        users, purchases = [name.user_id for name in names], [name.purchase_id for name in names]
        rows = await self._session.fetch(_FIND_PURCHASES, payments, users, purchases)
        return [_here(row) for row in rows]

    async def list_completed(self, since: datetime) -> AsyncIterator[list[str]]:
        """The payments of purchases that were paid then or later."""
        after: tuple[datetime, str] = (since, _ZERO)
        while rows := await self._session.fetch(_LIST_COMPLETED, since, *after, _PAGE):
            yield [row["payment"] for row in rows]
            after = (rows[-1]["completed_at"], rows[-1]["id"])

    async def list_unsettled(self) -> AsyncIterator[list[str]]:
        """The payments of purchases with a refund or a dispute that has not ended, however old."""
        after = _ZERO
        while rows := await self._session.fetch(_LIST_UNSETTLED, after, _PAGE):
            yield [row["payment"] for row in rows]
            after = rows[-1]["id"]


def _here(row: Mapping[str, Any]) -> Here:
    read: dict[str, Any] = {name: _FACTS.decode(row[name]) for name in ("refunds", "disputes")}
    return Here(**{**row, **read})
