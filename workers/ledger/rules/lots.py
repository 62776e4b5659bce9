"""The order in which credits are used, and moving them out of and into lots; the account's figures move along."""

from __future__ import annotations

from bisect import insort
from datetime import UTC, datetime
from typing import Final

from contracts.replies import LotKind
from workers.ledger.model import FREE_KINDS, Lot
from workers.ledger.rules.batch import Batch, Purse

Move = tuple[Lot, int]
"""So many credits, more than 0, out of or into a lot."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def burn_order(lot: Lot) -> tuple[bool, bool, datetime, datetime, str]:
    """Free before paid, then what expires first (never comes last), then the oldest."""
    expires_at = lot.expires_at
    return not lot.free, expires_at is None, expires_at or _NEVER, lot.created_at, lot.id


def has_expired(lot: Lot, now: datetime) -> bool:
    """Whether the lot's end has come; at that very moment it has."""
    return lot.expires_at is not None and lot.expires_at <= now


def take(batch: Batch, purse: Purse, amount: int) -> list[Move]:
    """Takes ``amount`` credits, of which at least so many must be there, from the lots in their order."""
    moves: list[Move] = []
    used_up = 0
    for lot in purse.lots:
        part = min(lot.remaining, amount)
        _change(batch, purse, lot, -part)
        moves.append((lot, part))
        if lot.remaining == 0:
            used_up += 1
        amount -= part
        if amount == 0:
            break
    if used_up:
        del purse.lots[:used_up]
    return moves


def put(batch: Batch, purse: Purse, lot: Lot, amount: int) -> Move:
    """Puts credits into a lot that has not expired; one that was used up is open again."""
    if lot.remaining == 0:
        insort(purse.lots, lot, key=burn_order)
    _change(batch, purse, lot, amount)
    return lot, amount


def give_back(batch: Batch, purse: Purse, lot: Lot, amount: int) -> list[Move]:
    """Puts credits into a lot that has not expired, as many as it was granted; what is over makes a new one like it.

    Something is over where a lot's used credits came back by two ways: by a refund of their usage, and by the end of a
    claim on the purchase that another purchase had paid for meanwhile.
    """
    fitting = min(amount, lot.granted - lot.remaining)
    moves = [put(batch, purse, lot, fitting)] if fitting else []
    return moves if fitting == amount else [*moves, add_lot(batch, purse, lot.kind, amount - fitting, lot.expires_at)]


def draw(batch: Batch, purse: Purse, lot: Lot, amount: int) -> Move:
    """Takes credits, of which at least so many must be there, from this very lot."""
    _change(batch, purse, lot, -amount)
    if lot.remaining == 0:
        purse.lots.remove(lot)
    return lot, amount


def empty(batch: Batch, purse: Purse, lot: Lot) -> Move:
    """Takes all that is left from a lot that is not among the open ones any more."""
    remaining = lot.remaining
    _change(batch, purse, lot, -remaining)
    return lot, remaining


def add_lot(
    batch: Batch,
    purse: Purse,
    kind: LotKind,
    amount: int,
    expires_at: datetime | None = None,
    *,
    lot_id: str | None = None,
) -> Move:
    """A new lot, filled with ``amount`` credits, that ends at ``expires_at`` if ever; its id is fresh unless given."""
    lot = Lot(
        id=lot_id or next(batch.ids),
        account_id=purse.account.account_id,
        kind=kind,
        free=kind in FREE_KINDS,
        granted=amount,
        remaining=0,
        expires_at=expires_at,
        created_at=batch.now,
        is_new=True,
    )
    purse.known[lot.id] = lot
    batch.outcome.lots.append(lot)
    return put(batch, purse, lot, amount)


def _change(batch: Batch, purse: Purse, lot: Lot, amount: int) -> None:
    if not (lot.changed or lot.is_new):
        lot.changed = True
        batch.outcome.lots.append(lot)
    lot.remaining += amount
    if lot.free:
        purse.account.free_credits_remaining += amount
    else:
        purse.account.balance += amount
