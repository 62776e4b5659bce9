"""The real executor with its database, behind the questions that the property tests ask of any ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import asyncpg

from contracts.replies import Reply
from tests.integration.ledger import clock
from tests.integration.ledger.owner import Owner
from workers.ledger.audit.looking import audit
from workers.ledger.execute import Executor
from workers.ledger.model import Account, Entry, Lot, Posting, Request, Terms
from workers.ledger.purchases import Disputed, Purchase, Refunded, RefundPolicy
from workers.ledger.store import rows

T = TypeVar("T")

_EMPTY: Final = """
TRUNCATE credits.balances, credits.lots, credits.transactions, credits.postings, credits.keys, credits.refusals,
    credits.suspensions, credits.purchases;
UPDATE credits.partitions SET position = 0, confirmed = 0;
"""
_SUSPEND: Final = "INSERT INTO credits.suspensions (account_id, reason) VALUES ($1, 'banned') ON CONFLICT DO NOTHING"
_RELEASE: Final = "DELETE FROM credits.suspensions WHERE account_id = $1"
_ACCOUNT: Final = """
SELECT account_id::text, balance, free_credits_remaining, total_earned, total_spent, sequence, frozen, last_daily,
    opening_key, low_threshold
FROM credits.balances
WHERE account_id = $1
"""
_LOTS: Final = """
SELECT id::text, account_id::text, kind, free, granted, remaining, expires_at, created_at
FROM credits.lots
WHERE account_id = $1
ORDER BY created_at, id
"""
_SELL: Final = """
INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status, created_at)
VALUES ($1, $2, 'credits-500', $3, $4, $4, 'pending', $5)
"""
_PURCHASES: Final = """
SELECT account_id::text, id::text, credits, amount, currency, status, stripe_payment_intent_id AS payment_intent_id,
    stripe_checkout_session_id AS checkout_session_id, created_at, completed_at, refunds::text, disputes::text, taken,
    debt, written_off, held
FROM credits.purchases
WHERE account_id = $1
ORDER BY id
"""
_ENTRIES: Final = """
SELECT row_to_json(transaction)::text AS body, operation, partition, reason
FROM credits.transactions AS transaction
WHERE account_id = $1
ORDER BY sequence
"""
_POSTINGS: Final = """
SELECT position, number, source, destination, lot_id::text AS lot_id, amount
FROM credits.postings
WHERE account_id = $1
ORDER BY position, number
"""


@dataclass
class DatabaseLedger:
    """Asked from a thread, since Hypothesis is not asynchronous; the connections live in the loop."""

    owner: Owner
    by_hand: asyncpg.Connection
    url: str
    loop: asyncio.AbstractEventLoop
    ids: Iterator[str]

    def apply(self, requests: Sequence[Request], now: datetime) -> list[Reply]:
        """One batch, at this time."""
        return self._wait(self._apply(requests, now))

    def suspend(self, user_id: str, *, suspended: bool) -> None:
        """As the front does it."""
        self._wait(self.by_hand.execute(_SUSPEND if suspended else _RELEASE, user_id))

    def set_policy(self, policy: RefundPolicy) -> None:
        """Another executor on the same session."""
        self.owner.executor = Executor(self.owner.session, Terms(refund_policy=policy), self.ids)

    def sell(self, user_id: str, purchase_id: str, size: int, price: int, now: datetime) -> None:
        """As the front does it."""
        self._wait(self.by_hand.execute(_SELL, user_id, purchase_id, size, price, now))

    def account(self, user_id: str) -> Account | None:
        """The account's row."""
        return next((Account(**row) for row in self._fetch(_ACCOUNT, user_id)), None)

    def lots_of(self, user_id: str) -> list[Lot]:
        """The account's lots, the oldest first."""
        return [Lot(**row) for row in self._fetch(_LOTS, user_id)]

    def purchases_of(self, user_id: str) -> list[Purchase]:
        """The account's purchases, in the order of their ids."""
        return [_purchase(row) for row in self._fetch(_PURCHASES, user_id)]

    def entries_of(self, user_id: str) -> list[Entry]:
        """The account's transactions with their postings, by sequence."""
        postings: dict[int, list[Posting]] = {}
        for row in self._fetch(_POSTINGS, user_id):
            postings.setdefault(row.pop("position"), []).append(Posting(**row))
        return [_entry(row, postings) for row in self._fetch(_ENTRIES, user_id)]

    def empty(self) -> None:
        """Begins anew."""
        self._wait(self.by_hand.execute(_EMPTY))

    def is_sound(self) -> bool:
        """Whether the audit has nothing to say."""
        return not any(finding.violations for finding in self._wait(audit(self.url)))

    async def _apply(self, requests: Sequence[Request], now: datetime) -> list[Reply]:
        await clock.set_clock(self.owner.session, now)
        return list(await self.owner.do(*requests))

    def _fetch(self, sql: str, user_id: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self._wait(self.by_hand.fetch(sql, user_id))]

    def _wait(self, answer: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await answer

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(timeout=30)


def _purchase(row: dict[str, Any]) -> Purchase:
    """Read by other means than the store's."""
    refunds = {name: Refunded(*known) for name, known in json.loads(row.pop("refunds")).items()}
    disputes = {name: Disputed(*known) for name, known in json.loads(row.pop("disputes")).items()}
    return Purchase(**row, refunds=refunds, disputes=disputes)


def _entry(row: dict[str, Any], postings: dict[int, list[Posting]]) -> Entry:
    happened = rows.happening(row["body"])
    moved = tuple(postings.get(happened.position, ()))
    return Entry(
        happened.transaction,
        row["operation"],
        happened.balance,
        moved,
        row["partition"],
        happened.traceparent,
        row["reason"],
        happened.low_threshold,
    )
