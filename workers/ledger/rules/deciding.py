"""The order of the checks: refused before, key, too much of its app, deadline, account, and then the command itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, assert_never

from contracts.commands import (
    Adjust,
    Buy,
    ClawBack,
    Command,
    Expire,
    Freeze,
    Grant,
    OfPayments,
    Open,
    ReadBalance,
    Refund,
    SetThreshold,
    Thaw,
    Unfreeze,
    Use,
    operation,
)
from contracts.errors import Error
from contracts.replies import BalanceRead, Done, Refused, Reply
from workers.ledger.model import Outcome, Recorded, RefusalRecord, Request, State, Terms
from workers.ledger.rules.adjusting import adjust
from workers.ledger.rules.batch import Batch, Purse
from workers.ledger.rules.expiring import purse_of
from workers.ledger.rules.freezing import set_frozen
from workers.ledger.rules.granting import grant, grant_daily, open_account
from workers.ledger.rules.paying import buy, learn_of
from workers.ledger.rules.refunding import refund
from workers.ledger.rules.spending import use
from workers.ledger.rules.warning import set_threshold

Result = Done | BalanceRead | Error
"""What a command comes to: an answer, or the reason why it is refused."""
_OF_THE_DAY: Final = (Use, ReadBalance)
"""Commands that bring the day's free credits."""


def decide(state: State, requests: Sequence[Request], *, now: datetime, terms: Terms, ids: Iterator[str]) -> Outcome:
    """Decides command after command, in order; ``state`` changes on the way.

    ``now`` is the database's clock, read once for the batch; ``ids`` yields fresh UUIDs (version 7) as text. A batch
    comes to the same as its commands one by one. Raises ``KeyError`` where the state lacks the stored answer of an
    account's opening, and ``StopIteration`` where there are too few ids.
    """
    now = now.astimezone(UTC)
    batch = Batch(state, now, now.date(), terms, ids)
    replies = batch.outcome.replies
    for request in requests:
        replies.append(_answer(batch, request))
    batch.outcome.refusals.extend(batch.refusals.values())
    return batch.outcome


def _answer(batch: Batch, request: Request) -> Reply:
    key = request.key
    if key is None:
        result = request.excess or _execute(batch, request)
        return Refused(result) if isinstance(result, Error) else result
    recorded = _recorded(batch.state, request, key)
    repeated = None if recorded is None else _repeat(recorded, request.command)
    refused = _refused_before(batch.state, request, key, repeated)
    if refused is not None:
        return Refused(refused)
    result = repeated or request.excess or _execute(batch, request)
    return _refuse(batch, request, key, result) if isinstance(result, Error) else result


def _recorded(state: State, request: Request, key: str) -> Recorded | None:
    """The stored answer under the command's key; for an account that is open already, that of its opening."""
    if isinstance(request.command, Open):
        account = state.accounts.get(request.user_id)
        if account is not None:
            return state.recorded[account.account_id, account.opening_key]
    return state.recorded.get((request.user_id, key))


def _refused_before(state: State, request: Request, key: str, repeated: Done | Error | None) -> Error | None:
    """The stored refusal of the same message, where it still stands; ``repeated`` is what its key answers by itself.

    Who was told ``overloaded`` is to try again. Once that has succeeded under the key, no copy of the first try may say
    that nothing was done.
    """
    if not request.identity and (repeated is not None or not request.redelivered):
        return None
    refused = state.refusals.get((request.user_id, key, request.identity))
    if refused is not None and refused.code == "overloaded" and isinstance(repeated, Done):
        return None
    return refused


def _repeat(recorded: Recorded, command: Command) -> Done | Error:
    if recorded.operation != operation(command):
        return Error("idempotency_conflict", "the idempotency key has been used for another operation")
    return Done(recorded.transaction, recorded.balance, replayed=True)


def _refuse(batch: Batch, request: Request, key: str, error: Error) -> Refused:
    """Keeps the refusal for when the same message comes again; of messages without identity the newest."""
    place = (request.user_id, key, request.identity)
    batch.state.refusals[place] = error
    batch.refusals[place] = RefusalRecord(*place, error)
    return Refused(error)


def _execute(batch: Batch, request: Request) -> Result:
    if request.deadline is not None and batch.now > request.deadline:
        return Error("deadline_exceeded", "the command came after its deadline; nothing was done")
    if isinstance(request.command, Open):
        return open_account(batch, request, request.command)
    purse = purse_of(batch, request)
    if purse is None:
        return Error("unknown_user", "the user has no account")
    if isinstance(request.command, _OF_THE_DAY):
        grant_daily(batch, purse, request)
    return _perform(batch, purse, request, request.command)


def _perform(
    batch: Batch,
    purse: Purse,
    request: Request,
    command: Use | Refund | Grant | Adjust | Freeze | Unfreeze | SetThreshold | ReadBalance | Expire | OfPayments,
) -> Result:
    match command:
        case Use():
            return use(batch, purse, request, command)
        case Refund():
            return refund(batch, purse, request, command)
        case Grant():
            return grant(batch, purse, request, command)
        case Adjust():
            return adjust(batch, purse, request, command)
        case Freeze() | Unfreeze():
            return set_frozen(batch, purse, command)
        case SetThreshold():
            return set_threshold(batch, purse, command)
        case ReadBalance() | Expire():
            return BalanceRead(purse.account.figures())
        case Buy():
            return buy(batch, purse, request, command)
        case ClawBack() | Thaw():
            return learn_of(batch, purse, request, command)
        case _:
            assert_never(command)
