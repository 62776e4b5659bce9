"""What has expired leaves the account before any command meets it."""

from __future__ import annotations

from datetime import datetime

from workers.ledger.model import Lot, Request
from workers.ledger.rules.batch import Batch, Purse
from workers.ledger.rules.journal import SYSTEM, Draft, operation_of_ours, post
from workers.ledger.rules.lots import burn_order, empty, has_expired


def purse_of(batch: Batch, request: Request) -> Purse | None:
    """The account with its open lots, what has expired posted first; ``None`` where there is no such account.

    Once a batch is enough: its ``now`` stands still, and no lot is made that has expired already.
    """
    purse = batch.purses.get(request.user_id)
    if purse is not None:
        return purse
    account = batch.state.accounts.get(request.user_id)
    if account is None:
        return None
    loaded = batch.state.lots.get(account.account_id, [])
    still_open = sorted([lot for lot in loaded if not has_expired(lot, batch.now)], key=burn_order)
    purse = Purse(account, still_open, {lot.id: lot for lot in loaded})
    batch.purses[account.account_id] = purse
    if len(still_open) < len(loaded):
        _post_expired(batch, purse, request, [lot for lot in loaded if has_expired(lot, batch.now)])
    return purse


def _post_expired(batch: Batch, purse: Purse, request: Request, expired: list[Lot]) -> None:
    """One transaction for each lot, in the order in which they expired, then by age."""
    for lot in sorted(expired, key=_order_of_expiry):
        amount = -lot.remaining
        moves = [empty(batch, purse, lot)]
        draft = Draft(
            type="expiry",
            amount=amount,
            other="system:expired",
            key=f"expiry:{lot.id}",
            operation=operation_of_ours("expiry", amount),
            origin=SYSTEM,
            description=f"Expired credits ({lot.kind})",
        )
        post(batch, purse, request, draft, moves)


def _order_of_expiry(lot: Lot) -> tuple[datetime | None, datetime, str]:
    return lot.expires_at, lot.created_at, lot.id
