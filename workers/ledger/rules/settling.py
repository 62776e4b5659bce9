"""From what was taken of a purchase to what its facts say: the credits that have to move."""

from __future__ import annotations

from typing import Literal, NamedTuple

from workers.ledger.purchases import Purchase, RefundPolicy

Place = Literal["lot", "held", "stripe", "debt", "written_off"]
"""Where credits of a purchase are: in its lot, held for a dispute, Stripe's, owed by the user, borne by the house."""


class Flow(NamedTuple):
    """So many credits, more than 0, from one place to another."""

    source: Place
    destination: Place
    amount: int


def settle(purchase: Purchase, left: int, policy: RefundPolicy) -> list[Flow]:
    """The flows that bring a purchase, whose lot holds ``left``, to where its facts want it. None where it is there."""
    missing = purchase.to_be_taken() - purchase.taken
    flows = _take(purchase, left, missing, policy) if missing > 0 else _give_back(purchase, -missing)
    return [flow for flow in [*flows, *_hold(purchase, left, flows)] if flow.amount > 0]


def _take(purchase: Purchase, left: int, amount: int, policy: RefundPolicy) -> list[Flow]:
    """What is held goes first, then what is left; the rest the user has used."""
    held = min(purchase.held, amount)
    rest = min(left, amount - held)
    used = amount - held - rest
    return [
        Flow("held", "stripe", held),
        Flow("lot", "stripe", rest),
        Flow("debt" if policy == "debt" else "written_off", "stripe", used),
    ]


def _give_back(purchase: Purchase, amount: int) -> list[Flow]:
    """The other way round: what is still owed first, then what the house has borne, and the rest to the user."""
    owed = min(purchase.debt, amount)
    borne = min(purchase.written_off, amount - owed)
    return [
        Flow("stripe", "debt", owed),
        Flow("stripe", "written_off", borne),
        Flow("stripe", "held" if purchase.is_disputed else "lot", amount - owed - borne),
    ]


def _hold(purchase: Purchase, left: int, flows: list[Flow]) -> list[Flow]:
    """While a dispute is open nothing of the lot can be used; afterwards all that is held can be again."""
    if purchase.is_disputed:
        return [Flow("lot", "held", left + _balance(flows, "lot"))]
    return [Flow("held", "lot", purchase.held + _balance(flows, "held"))]


def _balance(flows: list[Flow], place: Place) -> int:
    came = sum(flow.amount for flow in flows if flow.destination == place)
    return came - sum(flow.amount for flow in flows if flow.source == place)
