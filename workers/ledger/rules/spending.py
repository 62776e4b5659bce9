"""``credits.use``: takes credits for one use of an app."""

from __future__ import annotations

from contracts.commands import Use, operation
from contracts.errors import Error
from contracts.replies import Done
from workers.ledger.model import Burn, Request, Usage
from workers.ledger.rules.batch import Batch, Purse
from workers.ledger.rules.journal import Draft, post, shortage, tidy
from workers.ledger.rules.lots import Move, take


def use(batch: Batch, purse: Purse, request: Request, command: Use) -> Done | Error:
    """Takes the credits from the lots in their order, or refuses: frozen or suspended, or too few."""
    account = purse.account
    if account.frozen or account.account_id in batch.state.suspended:
        return Error("account_frozen", "the account is frozen: credits cannot be used")
    short = shortage(account, command.amount)
    if short is not None:
        return short
    moves = take(batch, purse, command.amount)
    account.total_spent += command.amount
    draft = Draft(
        type="usage",
        amount=-command.amount,
        other="system:revenue",
        key=command.idempotency_key,
        operation=operation(command),
        origin=request.actor.origin,
        description=command.description,
        app_id=command.app_id,
        metadata=tidy(command.metadata),
    )
    done = post(batch, purse, request, draft, moves)
    _make_refundable(batch, done, moves)
    return done


def _make_refundable(batch: Batch, done: Done, moves: list[Move]) -> None:
    """A later command of the same batch may give this usage back."""
    usage = done.transaction
    if usage is not None:
        burns = [Burn(number, lot, amount) for number, (lot, amount) in enumerate(moves, start=1)]
        batch.state.usages[usage.user_id, usage.id] = Usage(usage.id, usage.app_id, usage.created_at, burns, 0)
