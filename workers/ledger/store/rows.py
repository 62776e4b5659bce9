"""Rows of the ledger as JSON (``row_to_json``), and the contract's structures that they stand for.

One way for replays and for events, so that both answer the first result to the letter: ``metadata`` is the client's own
text, and times come back as the same instants.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from contracts.errors import Error, ErrorCode
from contracts.replies import Balance, Origin, Transaction, TransactionType
from workers.ledger.happening import Happening
from workers.ledger.model import Recorded


class _Figures(Struct, frozen=True, kw_only=True):
    operation: str
    balance: int
    free_credits_remaining: int
    total_earned: int
    total_spent: int


class _TransactionRow(_Figures, frozen=True, kw_only=True):
    position: int
    account_id: str
    id: str
    sequence: int
    type: TransactionType
    status: Literal["completed"]
    amount: int
    balance_before: int
    balance_after: int
    app_id: str | None
    origin: Origin
    description: str
    metadata: Raw
    idempotency_key: str
    refers_to: str | None
    traceparent: str | None
    created_at: datetime
    completed_at: datetime
    low_threshold: int | None


class _RefusalRow(Struct, frozen=True):
    code: ErrorCode
    message: str
    details: dict[str, Any]


class UsageRow(Struct, frozen=True):
    """A usage that a refund names; each burn is its number, its lot's id, its amount."""

    app_id: str | None
    created_at: datetime
    burns: list[tuple[int, str, int]]
    refunded: int


_transactions: Final = msgspec.json.Decoder(_TransactionRow)
_keys: Final = msgspec.json.Decoder(_Figures)
_refusals: Final = msgspec.json.Decoder(_RefusalRow)
_usages: Final = msgspec.json.Decoder(UsageRow)


def recorded_transaction(body: str) -> Recorded:
    """The stored answer that a row of ``credits.transactions`` is."""
    row = _transactions.decode(body)
    return Recorded(row.operation, _transaction(row), _balance(row))


def recorded_key(body: str) -> Recorded:
    """The stored answer that a row of ``credits.keys`` is."""
    row = _keys.decode(body)
    return Recorded(row.operation, None, _balance(row))


def refusal(body: str) -> Error:
    """The refusal that a row of ``credits.refusals`` keeps."""
    row = _refusals.decode(body)
    return Error(row.code, row.message, row.details)


def usage(body: str) -> UsageRow:
    """A usage with what it burnt."""
    return _usages.decode(body)


def happening(body: str) -> Happening:
    """What an event is made of, from a row of ``credits.transactions``."""
    row = _transactions.decode(body)
    return Happening(row.position, _transaction(row), _balance(row), row.traceparent, row.low_threshold)


def _balance(row: _Figures) -> Balance:
    return Balance(row.balance, row.free_credits_remaining, row.total_earned, row.total_spent)


def _transaction(row: _TransactionRow) -> Transaction:
    return Transaction(
        id=row.id,
        user_id=row.account_id,
        type=row.type,
        status=row.status,
        amount=row.amount,
        balance_before=row.balance_before,
        balance_after=row.balance_after,
        app_id=row.app_id,
        origin=row.origin,
        description=row.description,
        metadata=row.metadata,
        idempotency_key=row.idempotency_key,
        refers_to=row.refers_to,
        sequence=row.sequence,
        created_at=row.created_at,
        completed_at=row.completed_at,
    )
