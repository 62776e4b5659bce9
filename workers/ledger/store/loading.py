"""Reads the state that a batch is decided on: the accounts are locked first, all else is read in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from contracts.commands import OfPurchase, Open, Refund
from workers.crash import crash
from workers.ledger.model import Account, Burn, Lot, Request, State, Usage
from workers.ledger.store import rows
from workers.ledger.store.purchasing import load_purchases
from workers.ledger.store.session import Statements
from workers.ledger.store.statements import statement

_LOCK_BALANCES: Final = statement("lock_balances")
_READ: Final = statement("read_state")
_LOT: Final = (1, 9)
"""Where in a row that was read the lot's columns stand."""

_Row = Mapping[str, Any]


async def load(run: Statements, requests: Sequence[Request]) -> State:
    """All that the requests can touch. The rows of their accounts stay locked until the transaction ends.

    Of those beyond their app's limit only earlier answers are read, so they wait for no account: what is recorded under
    their keys cannot change meanwhile, since the fence holds their partitions.
    """
    within = [request for request in requests if request.excess is None]
    state = State()
    ids = sorted({request.user_id for request in within})
    if ids:
        for row in await run.fetch(_LOCK_BALANCES, ids):
            state.accounts[row["account_id"]] = Account(*row.values())
        crash("after_lock")
    keys = _keys(state, requests)
    if not ids and not keys:
        return state
    found = await run.fetch(
        _READ,
        ids,
        *_columns(keys, 2),
        *_columns(_messages(requests), 3),
        *_columns(_usages(within), 2),
    )
    _sort_in(state, found)
    if any(isinstance(request.command, OfPurchase) for request in within):
        await load_purchases(run, state, within)
    return state


def _keys(state: State, requests: Sequence[Request]) -> set[tuple[str, str]]:
    """Account and key of each command that writes; of an account that is open already also its opening's key."""
    asked = {(request.user_id, request.key) for request in requests if request.key is not None}
    for request in requests:
        account = state.accounts.get(request.user_id)
        if account is not None and isinstance(request.command, Open):
            asked.add((account.account_id, account.opening_key))
    return asked


def _messages(requests: Sequence[Request]) -> set[tuple[str, str, str]]:
    """The messages that may have been refused before: known by their identity, or said to be delivered again."""
    return {
        (request.user_id, request.key, request.identity)
        for request in requests
        if request.key is not None and (request.identity or request.redelivered)
    }


def _usages(requests: Sequence[Request]) -> set[tuple[str, str]]:
    return {
        (request.user_id, request.command.transaction_id) for request in requests if isinstance(request.command, Refund)
    }


def _columns(asked: Iterable[tuple[str, ...]], width: int) -> Sequence[Sequence[str]]:
    """Tuples as columns, for ``unnest``."""
    return list(zip(*asked, strict=True)) or [()] * width


def _sort_in(state: State, found: Sequence[_Row]) -> None:
    lots: dict[str, Lot] = {}
    usages: list[_Row] = []
    for row in found:
        match row["what"]:
            case "lot":
                lots[row["id"]] = _lot(state, row)
            case "transaction":
                state.recorded[row["account_id"], row["id"]] = rows.recorded_transaction(row["body"])
            case "key":
                state.recorded[row["account_id"], row["id"]] = rows.recorded_key(row["body"])
            case "refusal":
                state.refusals[row["account_id"], row["id"], row["kind"]] = rows.refusal(row["body"])
            case "suspended":
                state.suspended.add(row["account_id"])
                if row["kind"] == "deleted":
                    state.deleted.add(row["account_id"])
            case _:
                usages.append(row)
    for row in usages:
        state.usages[row["account_id"], row["id"]] = _usage(lots, row)


def _lot(state: State, row: _Row) -> Lot:
    lot = Lot(*islice(row.values(), *_LOT))
    if lot.remaining:
        state.lots.setdefault(lot.account_id, []).append(lot)
    return lot


def _usage(lots: Mapping[str, Lot], row: _Row) -> Usage:
    """The very lots that the account has open: a refund and a use of the same batch must meet the same object."""
    read = rows.usage(row["body"])
    burns = [Burn(number, lots[lot_id], amount) for number, lot_id, amount in read.burns]
    return Usage(row["id"], read.app_id, read.created_at, burns, read.refunded)
