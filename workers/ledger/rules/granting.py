"""Free credits: ``account.open`` with its signup bonus, ``credits.grant``, and what each day brings."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.commands import Grant, Open, operation
from contracts.errors import Error, invalid_field
from contracts.replies import Done
from workers.ledger.model import Account, Request
from workers.ledger.rules.batch import Batch, Purse, mark_changed
from workers.ledger.rules.journal import SYSTEM, Draft, operation_of_ours, overflow, post, record_key, tidy
from workers.ledger.rules.lots import add_lot


def open_account(batch: Batch, request: Request, command: Open) -> Done:
    """Opens an account that is not there yet; the first daily credits fall due the day after."""
    purse = _new_purse(batch, command)
    bonus = batch.terms.signup_bonus if command.signup_bonus else 0
    if bonus == 0:
        return record_key(batch, purse.account, command.idempotency_key, operation(command))
    moves = [add_lot(batch, purse, "signup", bonus)]
    purse.account.total_earned += bonus
    draft = Draft(
        type="bonus",
        amount=bonus,
        other="system:bonus",
        key=command.idempotency_key,
        operation=operation(command),
        origin=request.actor.origin,
        description="Signup bonus",
    )
    return post(batch, purse, request, draft, moves)


def grant(batch: Batch, purse: Purse, request: Request, command: Grant) -> Done | Error:
    """A new lot of free credits, which may expire."""
    expires_at = _expiry(batch, command)
    if isinstance(expires_at, Error):
        return expires_at
    too_much = overflow(purse.account, command.amount)
    if too_much is not None:
        return too_much
    moves = [add_lot(batch, purse, command.source, command.amount, expires_at)]
    purse.account.total_earned += command.amount
    draft = Draft(
        type="bonus",
        amount=command.amount,
        other="system:bonus",
        key=command.idempotency_key,
        operation=operation(command),
        origin=request.actor.origin,
        description=command.description,
        metadata=tidy(command.metadata),
    )
    return post(batch, purse, request, draft, moves)


def grant_daily(batch: Batch, purse: Purse, request: Request) -> None:
    """The day's free credits, once each UTC day; skipped where the account could not hold them."""
    account, amount = purse.account, batch.terms.daily_free
    if amount == 0 or batch.today <= account.last_daily:
        return
    account.last_daily = batch.today
    mark_changed(batch, purse)
    if overflow(account, amount) is not None:
        return
    moves = [add_lot(batch, purse, "daily", amount)]
    account.total_earned += amount
    draft = Draft(
        type="bonus",
        amount=amount,
        other="system:bonus",
        key=f"daily:{batch.today.isoformat()}",
        operation=operation_of_ours("daily", amount),
        origin=SYSTEM,
        description="Daily free credits",
    )
    post(batch, purse, request, draft, moves)


def _new_purse(batch: Batch, command: Open) -> Purse:
    account = Account(
        account_id=command.user_id,
        balance=0,
        free_credits_remaining=0,
        total_earned=0,
        total_spent=0,
        sequence=0,
        frozen=False,
        last_daily=batch.today,
        opening_key=command.idempotency_key,
        is_new=True,
    )
    purse = Purse(account, [], {})
    batch.state.accounts[command.user_id] = account
    batch.purses[command.user_id] = purse
    mark_changed(batch, purse)
    return purse


def _expiry(batch: Batch, command: Grant) -> datetime | Error | None:
    """When the lot ends, in UTC."""
    if command.expires_at is None:
        return None
    if command.expires_at <= batch.now:
        return invalid_field("expiresAt", "is not in the future")
    try:
        return command.expires_at.astimezone(UTC)
    except OverflowError:  # such as 9999-12-31T23:59:59-01:00
        return invalid_field("expiresAt", "is out of range")
