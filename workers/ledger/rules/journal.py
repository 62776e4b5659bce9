"""A change of an account's figures becomes a transaction with its postings; a refusal becomes a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from contracts.commands import NO_METADATA
from contracts.errors import Error, invalid_field
from contracts.fields import BALANCE_MAX
from contracts.metadata import compact
from contracts.replies import Done, Origin, Transaction, TransactionType
from workers.ledger.model import Account, Entry, KeyRecord, Posting, Recorded, Request, SystemAccount
from workers.ledger.rules.batch import Batch, Purse, mark_changed
from workers.ledger.rules.lots import Move

SYSTEM: Final[Origin] = "system"
DELETED: Final = "deleted"
"""What transactions of deleted users say, instead of words about them."""


class Draft(Struct, frozen=True, kw_only=True):
    """What a transaction says of itself. ``other`` is the system account that gives or takes; ``amount`` is signed.

    Without an ``id`` it gets a fresh one.
    """

    id: str | None = None
    type: TransactionType
    amount: int
    other: SystemAccount
    key: str
    operation: str
    origin: Origin
    description: str
    app_id: str | None = None
    metadata: Raw = NO_METADATA
    refers_to: str | None = None
    reason: str | None = None


def post(batch: Batch, purse: Purse, request: Request, draft: Draft, moves: Sequence[Move]) -> Done:
    """Writes down what ``moves`` have just done to the account's lots and figures."""
    return post_all(batch, purse, request, draft, _postings(purse.account.account_id, draft, moves))


def post_all(batch: Batch, purse: Purse, request: Request, draft: Draft, postings: tuple[Posting, ...]) -> Done:
    """Writes down a transaction of any postings; what they say has just been done."""
    account = purse.account
    if account.account_id in batch.state.deleted:
        draft = msgspec.structs.replace(draft, description=DELETED, metadata=NO_METADATA, reason=None)
    account.sequence += 1
    transaction = _transaction(batch, account, draft)
    balance = account.figures()
    batch.outcome.entries.append(
        Entry(
            transaction,
            draft.operation,
            balance,
            postings,
            request.partition,
            request.traceparent,
            draft.reason,
            _crossed(account, transaction),
        )
    )
    batch.state.recorded[account.account_id, draft.key] = Recorded(draft.operation, transaction, balance)
    mark_changed(batch, purse)
    return Done(transaction, balance)


def record_key(batch: Batch, account: Account, key: str, operation: str, reason: str | None = None) -> Done:
    """Keeps the answer of a command that made no transaction."""
    balance = account.figures()
    if account.account_id in batch.state.deleted:
        reason = None
    batch.outcome.keys.append(KeyRecord(account.account_id, key, operation, balance, reason))
    batch.state.recorded[account.account_id, key] = Recorded(operation, None, balance)
    return Done(None, balance)


def operation_of_ours(name: str, amount: int) -> str:
    """The operation of a transaction that no command asked for, in the shape of ``contracts.commands.operation``."""
    return f'["{name}",{amount},null,null,null,null]'


def tidy(metadata: Raw) -> Raw:
    """The metadata as it is kept and answered: without the space between its parts."""
    return metadata if metadata is NO_METADATA else Raw(compact(metadata))


def overflow(account: Account, amount: int) -> Error | None:
    """``invalid_request`` where so many credits more would pass what an account may hold."""
    if account.available + amount <= BALANCE_MAX:
        return None
    return invalid_field("amount", f"would take the balance over {BALANCE_MAX}")


def shortage(account: Account, required: int) -> Error | None:
    """``insufficient_credits`` where the account holds less than ``required``."""
    available = account.available
    if required <= available:
        return None
    message = f"{required} credits are needed, {available} are available"
    return Error("insufficient_credits", message, {"available": available, "required": required})


def _transaction(batch: Batch, account: Account, draft: Draft) -> Transaction:
    after = account.available
    return Transaction(
        id=draft.id or next(batch.ids),
        user_id=account.account_id,
        type=draft.type,
        status="completed",
        amount=draft.amount,
        balance_before=after - draft.amount,
        balance_after=after,
        app_id=draft.app_id,
        origin=draft.origin,
        description=draft.description,
        metadata=draft.metadata,
        idempotency_key=draft.key,
        refers_to=draft.refers_to,
        sequence=account.sequence,
        created_at=batch.now,
        completed_at=batch.now,
    )


def _crossed(account: Account, transaction: Transaction) -> int | None:
    """The account's threshold, where the transaction took the credits from there, or from above, to below it."""
    threshold = account.low_threshold
    if threshold is None or not transaction.balance_after < threshold <= transaction.balance_before:
        return None
    return threshold


def _postings(account_id: str, draft: Draft, moves: Sequence[Move]) -> tuple[Posting, ...]:
    source, destination = (account_id, draft.other) if draft.amount < 0 else (draft.other, account_id)
    return tuple(
        [Posting(number, source, destination, lot.id, amount) for number, (lot, amount) in enumerate(moves, start=1)]
    )
