"""``credits.refund``: gives a usage back, whole or in parts, to the lots that it came from."""

from __future__ import annotations

from contracts.commands import Refund, operation
from contracts.errors import Error, invalid_field
from contracts.replies import Done
from workers.ledger.model import Burn, Request, Usage
from workers.ledger.rules.batch import Batch, Purse
from workers.ledger.rules.journal import Draft, overflow, post, tidy
from workers.ledger.rules.lots import Move, add_lot, give_back, has_expired


def refund(batch: Batch, purse: Purse, request: Request, command: Refund) -> Done | Error:
    """Gives credits back, never more in all than the usage took."""
    account = purse.account
    usage = batch.state.usages.get((account.account_id, command.transaction_id))
    if usage is None:
        return invalid_field("transactionId", "names no usage of this user")
    if request.actor.app_id not in (None, usage.app_id):
        return Error("app_mismatch", "the usage belongs to another app than the login")
    amount = _amount(usage, command)
    if isinstance(amount, Error):
        return amount
    too_much = overflow(account, amount)
    if too_much is not None:
        return too_much
    moves = _give_back(batch, purse, usage, amount)
    usage.refunded += amount
    account.total_spent -= amount
    return post(batch, purse, request, _draft(request, command, usage, amount), moves)


def _amount(usage: Usage, command: Refund) -> int | Error:
    left = sum(burn.amount for burn in usage.burns) - usage.refunded
    if left == 0:
        return invalid_field("transactionId", "names a usage that has been refunded in full")
    if command.amount is None:
        return left
    if command.amount > left:
        return invalid_field("amount", f"is more than the {left} credits that are left of the usage")
    return command.amount


def _give_back(batch: Batch, purse: Purse, usage: Usage, amount: int) -> list[Move]:
    """What was burnt last goes back first; what earlier refunds gave back is skipped."""
    moves: list[Move] = []
    skip = usage.refunded
    for burn in sorted(usage.burns, key=_number, reverse=True):
        part = min(max(burn.amount - skip, 0), amount)
        skip = max(skip - burn.amount, 0)
        if part > 0:
            moves += _return_to_lot(batch, purse, usage, burn, part)
            amount -= part
    return moves


def _number(burn: Burn) -> int:
    return burn.number


def _return_to_lot(batch: Batch, purse: Purse, usage: Usage, burn: Burn, amount: int) -> list[Move]:
    """Back to the lot; or, where it has expired, to a new one with the life that the lot had left when it was used."""
    lot = purse.known.setdefault(burn.lot.id, burn.lot)
    if lot.expires_at is not None and has_expired(lot, batch.now):
        return [add_lot(batch, purse, lot.kind, amount, batch.now + (lot.expires_at - usage.created_at))]
    return give_back(batch, purse, lot, amount)


def _draft(request: Request, command: Refund, usage: Usage, amount: int) -> Draft:
    return Draft(
        type="refund",
        amount=amount,
        other="system:revenue",
        key=command.idempotency_key,
        operation=operation(command),
        origin=request.actor.origin,
        description=command.description or f"Refund of usage {usage.transaction_id}",
        app_id=usage.app_id,
        metadata=tidy(command.metadata),
        refers_to=usage.transaction_id,
    )
