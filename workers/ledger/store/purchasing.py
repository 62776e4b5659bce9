"""Purchases, read and written by statements of their own: only batches with commands of payments run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from contracts.commands import Buy, OfPurchase
from workers.ledger.model import Request, State
from workers.ledger.purchases import Disputed, Purchase, Refunded
from workers.ledger.store.session import Statements
from workers.ledger.store.statements import statement

_READ: Final = statement("read_purchases")

_refunds: Final = msgspec.json.Decoder(dict[str, Refunded])
_disputes: Final = msgspec.json.Decoder(dict[str, Disputed])


async def load_purchases(run: Statements, state: State, requests: Sequence[Request]) -> None:
    """Those that commands name, and of whoever buys also those with a debt. Their accounts are locked already."""
    commands = [request.command for request in requests if isinstance(request.command, OfPurchase)]
    named = sorted({(command.user_id, command.purchase_id) for command in commands})
    buyers = sorted({command.user_id for command in commands if isinstance(command, Buy)})
    accounts, purchases = zip(*named, strict=True)
    for row in await run.fetch(_READ, accounts, purchases, buyers):
        state.purchases[row["account_id"], row["id"]] = _purchase(row)


def _purchase(row: Mapping[str, Any]) -> Purchase:
    """The columns stand in the order of the fields."""
    fields = dict(row)
    fields["refunds"] = _refunds.decode(fields["refunds"])
    fields["disputes"] = _disputes.decode(fields["disputes"])
    return Purchase(**fields)


def purchase_row(purchase: Purchase) -> tuple[Any, ...]:
    """The columns of ``credits.purchase_row``."""
    return (
        purchase.account_id,
        purchase.id,
        purchase.status,
        purchase.payment_intent_id,
        purchase.checkout_session_id,
        purchase.completed_at,
        msgspec.json.encode(purchase.refunds).decode(),
        msgspec.json.encode(purchase.disputes).decode(),
        purchase.taken,
        purchase.debt,
        purchase.written_off,
        purchase.held,
    )
