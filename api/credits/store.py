"""The user's own rows of the ledger, read only; row-level security shows nobody else's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Raw

from api.credits.packages.store import list_packages
from api.credits.views import (
    Alert,
    BalanceView,
    Completed,
    GroupBy,
    Package,
    Purchase,
    RefusedOperation,
    UsageGroup,
    UsageSums,
    UsageView,
)
from api.database import Database, one
from api.sql import Statements
from contracts.errors import Error
from contracts.fields import BALANCE_MAX
from contracts.replies import Balance, Lot, Transaction

_SQL: Final = Statements(Path(__file__).parent / "sql")
_PURCHASES_MAX: Final = 1_000
_GROUPS_MAX: Final = 1_000
"""Apps name models, and may give each usage another."""


@dataclass(frozen=True)
class Selection:
    """Which transactions; ``before`` is a sequence number, the times are ``from`` (included) and ``to`` (excluded)."""

    limit: int
    offset: int = 0
    before: int | None = None
    type: str | None = None
    app_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Period:
    """From (included) to (excluded), whole hours in UTC."""

    since: datetime
    until: datetime


class CreditsStore:
    """Reads of one user's credits. Methods raise ``Unavailable`` where the database is away."""

    def __init__(self, database: Database, daily_free: int) -> None:
        self._database = database
        self._daily_free = daily_free

    async def balance(self, user_id: UUID) -> BalanceView | None:
        """The balance as the next command would find it; ``None`` without an account."""
        async with self._database.as_user(user_id) as connection:
            row = await connection.fetchrow(_SQL["read_balance"], user_id, self._daily_free, BALANCE_MAX)
        return None if row is None else BalanceView(**row, daily_free_credits=self._daily_free)

    async def alert(self, user_id: UUID) -> Alert | None:
        """The threshold of the account; ``None`` without an account."""
        async with self._database.as_user(user_id) as connection:
            row = await connection.fetchrow(_SQL["get_alert"], user_id)
        return None if row is None else Alert(row["low_threshold"])

    async def transactions(self, user_id: UUID, wanted: Selection) -> list[Transaction]:
        """Transactions, the newest first."""
        async with self._database.as_user(user_id) as connection:
            rows = await connection.fetch(
                _SQL["list_transactions"],
                user_id,
                wanted.before,
                wanted.type,
                wanted.app_id,
                wanted.since,
                wanted.until,
                wanted.offset,
                wanted.limit,
            )
        return [_transaction(row) for row in rows]

    async def transaction(self, user_id: UUID, transaction_id: UUID) -> Transaction | None:
        """One transaction."""
        async with self._database.as_user(user_id) as connection:
            row = await connection.fetchrow(_SQL["get_transaction"], user_id, transaction_id)
        return None if row is None else _transaction(row)

    async def operation(self, user_id: UUID, key: str, message_id: str | None) -> Completed | RefusedOperation | None:
        """What became of the command with this key: a success outlives refusals, of which that of the message counts,
        or the last one where no message is named."""
        async with self._database.as_user(user_id) as connection:
            if row := await connection.fetchrow(_SQL["find_completed"], user_id, key):
                return Completed(_transaction(row), _balance(row))
            if row := await connection.fetchrow(_SQL["find_completed_without_transaction"], user_id, key):
                return Completed(None, _balance(row))
            row = await connection.fetchrow(_SQL["find_refusal"], user_id, key, message_id)
        if row is None:
            return None
        return RefusedOperation(Error(row["code"], row["message"], msgspec.json.decode(row["details"])))

    async def lots(self, user_id: UUID) -> list[Lot]:
        """What is left of the user's credits, in the order in which it will be used."""
        async with self._database.as_user(user_id) as connection:
            rows = await connection.fetch(_SQL["list_lots"], user_id)
        return [Lot(**row) for row in rows]

    async def purchases(self, user_id: UUID) -> list[Purchase]:
        """The user's purchases, the newest first."""
        async with self._database.as_user(user_id) as connection:
            rows = await connection.fetch(_SQL["list_purchases"], user_id, _PURCHASES_MAX)
        return [Purchase(**row) for row in rows]

    async def usage(self, user_id: UUID, period: Period, by: GroupBy, app_id: str | None) -> UsageView:
        """Statistics of use."""
        async with self._database.as_user(user_id) as connection:
            # First: what is counted meanwhile is in the groups at the most.
            up_to: datetime = one(await connection.fetchrow(_SQL["find_usage_known"], user_id))["up_to"]
            since, until = period.since.replace(tzinfo=None), period.until.replace(tzinfo=None)
            rows = await connection.fetch(_SQL["sum_usage"], user_id, since, until, app_id, by, _GROUPS_MAX)
        groups = [UsageGroup(*_sums(row, ""), **{by: row["name"]}) for row in rows]
        total = UsageSums(*(_sums(rows[0], "all_") if rows else (0, 0, 0, 0)))
        return UsageView(period.since, period.until, by, groups, total, up_to)

    async def packages(self) -> list[Package]:
        """What can be bought now, in the order in which it is shown."""
        async with self._database.transaction() as connection:
            return await list_packages(connection, retired=False)


def _transaction(row: Any) -> Transaction:
    """A row as the contract's structure; metadata stays the text that the client wrote."""
    return Transaction(
        id=str(row["id"]),
        user_id=str(row["account_id"]),
        type=row["type"],
        status=row["status"],
        amount=row["amount"],
        balance_before=row["balance_before"],
        balance_after=row["balance_after"],
        app_id=row["app_id"],
        origin=row["origin"],
        description=row["description"],
        metadata=Raw(b"null") if row["metadata"] is None else Raw(row["metadata"].encode()),
        idempotency_key=row["idempotency_key"],
        refers_to=None if row["refers_to"] is None else str(row["refers_to"]),
        sequence=row["sequence"],
        created_at=row["created_at"],
        completed_at=row["completed_at"],
    )


def _sums(row: Any, of: str) -> tuple[int, int, int, int]:
    return row[f"{of}uses"], row[f"{of}credits"], row[f"{of}refunds"], row[f"{of}refunded"]


def _balance(row: Any) -> Balance:
    return Balance(row["balance"], row["free_credits_remaining"], row["total_earned"], row["total_spent"])
