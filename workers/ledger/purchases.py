"""A purchase as the ledger keeps it: facts that only grow, and what was done to the credits on their account.

Money is in the smallest unit of the purchase's currency; all else is whole credits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeVar

from contracts.payments import DisputeState, RefundState

PurchaseStatus = Literal["pending", "completed", "failed", "refunded", "disputed"]
RefundPolicy = Literal["debt", "write_off"]
"""What becomes of credits that are to be taken back and are used already."""

RANKS: Final[dict[RefundState | DisputeState, int]] = {
    "pending": 1,
    "succeeded": 2,
    "failed": 3,
    "open": 1,
    "lost": 2,
    "won": 3,
}
"""What is known of a refund or a dispute moves on to a higher rank and never back."""


class Refunded(NamedTuple):
    """What is known of a refund."""

    cents: int
    state: RefundState


class Disputed(NamedTuple):
    """What is known of a dispute."""

    cents: int
    state: DisputeState


_Known = TypeVar("_Known", Refunded, Disputed)


@dataclass
class Purchase:
    """The row of a purchase. It is paid once ``completed_at`` is set.

    ``left`` is what its own lot held when the row was read; ``None`` before there is one. Of the credits that were
    bought ``taken`` are Stripe's again: ``debt`` of them the user still owes, ``written_off`` the house has borne.
    ``held`` wait for the end of a dispute.
    """

    account_id: str
    id: str
    credits: int
    amount: int
    currency: str
    status: PurchaseStatus
    payment_intent_id: str | None
    checkout_session_id: str | None
    created_at: datetime
    completed_at: datetime | None
    refunds: dict[str, Refunded]
    disputes: dict[str, Disputed]
    taken: int
    debt: int
    written_off: int
    held: int
    left: int | None = None
    changed: bool = field(default=False, compare=False)

    @property
    def is_paid(self) -> bool:
        """Whether its money has come in."""
        return self.completed_at is not None

    @property
    def is_disputed(self) -> bool:
        """Whether a dispute is open."""
        return any(dispute.state == "open" for dispute in self.disputes.values())

    def to_be_taken(self) -> int:
        """The credits that belong to the money that went back, rounded down; all of them at the most.

        Refunds that succeeded and disputes that were lost add up: so much is gone, whatever took it.
        """
        if not self.is_paid:
            return 0
        gone = self._refunded() + sum(known.cents for known in self.disputes.values() if known.state == "lost")
        return self.credits * min(self.amount, gone) // self.amount

    def status_by_facts(self) -> PurchaseStatus:
        """What the facts come to; the word ``failed`` is a fact of its own, which a payment outranks."""
        if not self.is_paid:
            return "failed" if self.status == "failed" else "pending"
        if any(dispute.state != "won" for dispute in self.disputes.values()):
            return "disputed"
        return "refunded" if self._refunded() >= self.amount else "completed"

    def _refunded(self) -> int:
        return sum(known.cents for known in self.refunds.values() if known.state == "succeeded")


def learn(known: dict[str, _Known], name: str, told: _Known) -> None:
    """Keeps the higher of what was known and what is told: so the order of facts and their number do not matter."""
    before = known.get(name)
    if before is None or _height(before) < _height(told):
        known[name] = told


def _height(fact: Refunded | Disputed) -> tuple[int, int]:
    return RANKS[fact.state], fact.cents
