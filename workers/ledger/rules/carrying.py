"""Carries out what a purchase's facts ask for: in the user's lots, in the purchase's figures, and as postings."""

from __future__ import annotations

from collections.abc import Sequence

from workers.ledger.model import Lot, Posting
from workers.ledger.purchases import Purchase
from workers.ledger.rules.batch import Batch, Purse
from workers.ledger.rules.lots import draw, give_back
from workers.ledger.rules.settling import Flow, Place


def lot_of(purse: Purse, purchase: Purchase) -> Lot | None:
    """The purchase's own lot, the very object that other commands of the batch meet; ``None`` before it is paid."""
    if purchase.id not in purse.known and purchase.left is not None and purchase.completed_at is not None:
        purse.known[purchase.id] = Lot(
            id=purchase.id,
            account_id=purchase.account_id,
            kind="purchase",
            free=False,
            granted=purchase.credits,
            remaining=purchase.left,
            expires_at=None,
            created_at=purchase.completed_at,
        )
    return purse.known.get(purchase.id)


def gained(flows: Sequence[Flow]) -> int:
    """What the account gets by the flows, less what it gives."""
    came = sum(flow.amount for flow in flows if flow.destination == "lot")
    return came - sum(flow.amount for flow in flows if flow.source == "lot")


def carry_out(
    batch: Batch, purse: Purse, purchase: Purchase, flows: Sequence[Flow], lot: Lot | None
) -> tuple[Posting, ...]:
    """Does what the flows say, out of and into ``lot``; the postings tell it."""
    names = _names(purse.account.account_id)
    postings: list[Posting] = []
    for flow in flows:
        source, destination = names[flow.source], names[flow.destination]
        for lot_id, amount in _moves(batch, purse, purchase, flow, lot):
            postings.append(Posting(len(postings) + 1, source, destination, lot_id, amount))
        _count(purchase, flow.source, -flow.amount)
        _count(purchase, flow.destination, flow.amount)
    return tuple(postings)


def _moves(batch: Batch, purse: Purse, purchase: Purchase, flow: Flow, lot: Lot | None) -> list[tuple[str, int]]:
    """A flow's parts, each by the lot that it concerns; what passes the user's lots by concerns the purchase's own."""
    if "lot" not in (flow.source, flow.destination):
        return [(purchase.id, flow.amount)]
    if lot is None:
        raise ValueError(f"purchase {purchase.id} has no lot")
    taken = flow.source == "lot"
    moves = [draw(batch, purse, lot, flow.amount)] if taken else give_back(batch, purse, lot, flow.amount)
    return [(moved.id, amount) for moved, amount in moves]


def _names(account_id: str) -> dict[Place, str]:
    return {
        "lot": account_id,
        "held": "system:disputed",
        "stripe": "system:stripe",
        "debt": f"debt:{account_id}",
        "written_off": "system:written_off",
    }


def _count(purchase: Purchase, place: Place, amount: int) -> None:
    """What is owed and what was written off is what those two accounts lack."""
    match place:
        case "stripe":
            purchase.taken += amount
        case "held":
            purchase.held += amount
        case "debt":
            purchase.debt -= amount
        case "written_off":
            purchase.written_off -= amount
        case "lot":
            pass
