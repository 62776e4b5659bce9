"""``credits.adjust``: an administrator's correction."""

from __future__ import annotations

from contracts.commands import Adjust, operation
from contracts.errors import Error
from contracts.replies import Done
from workers.ledger.model import Request
from workers.ledger.rules.batch import Batch, Purse
from workers.ledger.rules.journal import Draft, overflow, post, shortage, tidy
from workers.ledger.rules.lots import Move, add_lot, take


def adjust(batch: Batch, purse: Purse, request: Request, command: Adjust) -> Done | Error:
    """Upwards a new paid lot that never expires; downwards from the lots in their order, as if used."""
    moves = _add(batch, purse, command.amount) if command.amount > 0 else _remove(batch, purse, -command.amount)
    if isinstance(moves, Error):
        return moves
    draft = Draft(
        type="adjustment",
        amount=command.amount,
        other="system:adjustment",
        key=command.idempotency_key,
        operation=operation(command),
        origin=request.actor.origin,
        description=command.description,
        metadata=tidy(command.metadata),
        reason=command.reason,
    )
    return post(batch, purse, request, draft, moves)


def _add(batch: Batch, purse: Purse, amount: int) -> list[Move] | Error:
    too_much = overflow(purse.account, amount)
    if too_much is not None:
        return too_much
    purse.account.total_earned += amount
    return [add_lot(batch, purse, "adjustment", amount)]


def _remove(batch: Batch, purse: Purse, amount: int) -> list[Move] | Error:
    short = shortage(purse.account, amount)
    return short if short is not None else take(batch, purse, amount)
