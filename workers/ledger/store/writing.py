"""Writes what a batch has come to: a statement for the ledger, for answers without a transaction, for purchases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from contracts.replies import Transaction
from workers.crash import crash
from workers.ledger.faults import BatchRejected
from workers.ledger.model import Account, Entry, Lot, Outcome
from workers.ledger.store.purchasing import purchase_row
from workers.ledger.store.session import Statements
from workers.ledger.store.statements import statement

_OUTCOME: Final = statement("write_outcome")
_ANSWERS: Final = statement("write_answers")
_PURCHASES: Final = statement("write_purchases")
_THRESHOLDS: Final = statement("write_thresholds")

_Row = tuple[Any, ...]
"""The columns of one of the types ``credits.*_row``, in their order."""
_NO_METADATA: Final = b"null"


class Progress(Struct, frozen=True):
    """Where a partition stands after the batch; ``confirmed`` is the mark to write, 0 where there is none."""

    partition: int
    epoch: int
    position: int
    confirmed: int


async def write(
    run: Statements, outcome: Outcome, placed: Sequence[tuple[int, Entry]], progress: Sequence[Progress]
) -> None:
    """Writes an outcome; ``placed``: its entries with their positions. Raises ``BatchRejected`` unless all goes in."""
    if placed or outcome.accounts or outcome.lots or progress:
        await _write_outcome(run, outcome, placed, progress)
        crash("after_insert")
    if outcome.keys or outcome.refusals:
        await _write_answers(run, outcome)
    if outcome.purchases:
        await _write(run, _PURCHASES, ([purchase_row(purchase) for purchase in outcome.purchases],))
    if outcome.thresholds:
        await _write(run, _THRESHOLDS, (list(outcome.thresholds.items()),))


async def _write_outcome(
    run: Statements, outcome: Outcome, placed: Sequence[tuple[int, Entry]], progress: Sequence[Progress]
) -> None:
    parts: tuple[list[_Row], ...] = (
        [_transaction(position, entry) for position, entry in placed],
        _postings(placed),
        [_lot(lot) for lot in outcome.lots if lot.is_new],
        [(lot.account_id, lot.id, lot.remaining) for lot in outcome.lots if not lot.is_new],
        [_account(account) for account in outcome.accounts if account.is_new],
        [_account(account) for account in outcome.accounts if not account.is_new],
        [(one.partition, one.epoch, one.position, one.confirmed) for one in progress],
    )
    await _write(run, _OUTCOME, parts, _crossings(placed))


async def _write_answers(run: Statements, outcome: Outcome) -> None:
    keys = [
        (
            record.account_id,
            record.idempotency_key,
            record.operation,
            record.reason,
            *msgspec.structs.astuple(record.balance),
        )
        for record in outcome.keys
    ]
    refusals = [
        (
            record.account_id,
            record.idempotency_key,
            record.identity,
            record.error.code,
            record.error.message,
            msgspec.json.encode(record.error.details).decode(),
        )
        for record in outcome.refusals
    ]
    await _write(run, _ANSWERS, (keys, refusals))


def _crossings(placed: Sequence[tuple[int, Entry]]) -> list[int | None]:
    """Each entry's crossed threshold; nothing at all where there is none, as nearly always."""
    crossings = [entry.low_threshold for _, entry in placed]
    return crossings if any(crossings) else []


async def _write(run: Statements, sql: str, parts: tuple[list[_Row], ...], *more: object) -> None:
    """A part that wrote fewer rows than it was given met another state than the one that was read."""
    (written,) = await run.fetch(sql, *parts, *more)
    if tuple(written.values()) != tuple(map(len, parts)):
        raise BatchRejected(f"wrote {dict(written)}, expected {tuple(map(len, parts))}")


def _transaction(position: int, entry: Entry) -> _Row:
    of, after = entry.transaction, entry.balance
    return (
        entry.partition,
        position,
        of.user_id,
        of.id,
        of.sequence,
        of.type,
        of.amount,
        of.balance_before,
        of.balance_after,
        of.app_id,
        of.origin,
        of.description,
        _metadata(of),
        of.idempotency_key,
        of.refers_to,
        entry.operation,
        entry.reason,
        entry.traceparent,
        after.balance,
        after.free_credits_remaining,
        after.total_earned,
        after.total_spent,
    )


def _metadata(transaction: Transaction) -> str | None:
    """The client's own text; none is NULL, which takes no room."""
    text = bytes(transaction.metadata)
    return None if text == _NO_METADATA else text.decode()


def _postings(placed: Sequence[tuple[int, Entry]]) -> list[_Row]:
    return [
        (
            entry.partition,
            position,
            posting.number,
            entry.transaction.user_id,
            posting.source,
            posting.destination,
            posting.lot_id,
            posting.amount,
        )
        for position, entry in placed
        for posting in entry.postings
    ]


def _lot(lot: Lot) -> _Row:
    return (lot.account_id, lot.id, lot.kind, lot.free, lot.granted, lot.remaining, lot.expires_at, lot.created_at)


def _account(account: Account) -> _Row:
    return (
        account.account_id,
        account.balance,
        account.free_credits_remaining,
        account.total_earned,
        account.total_spent,
        account.sequence,
        account.frozen,
        account.last_daily,
        account.opening_key,
    )
