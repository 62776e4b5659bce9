"""What the ledger answers, as plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's figures, in credits: the paid part, the free part, all that came in, all that was used."""

    balance: int
    free_credits_remaining: int
    total_earned: int
    total_spent: int

    @property
    def available(self) -> int:
        """What can be used: paid and free together."""
        return self.balance + self.free_credits_remaining


@dataclass(frozen=True, slots=True)
class Transaction:
    """One change of one account. ``amount`` is signed; the balances are paid and free credits together.

    ``type`` is ``usage``, ``refund``, ``bonus``, ``adjustment``, ``purchase``, ``expiry``, ``clawback``, or one that a
    later version of the service brings. ``sequence`` counts the user's transactions from 1 without a gap.
    """

    id: str
    user_id: str
    type: str
    status: str
    amount: int
    balance_before: int
    balance_after: int
    app_id: str | None
    origin: str
    description: str
    metadata: Mapping[str, Any] | None
    idempotency_key: str
    refers_to: str | None
    sequence: int
    created_at: datetime
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a command that writes.

    ``replayed``: it had been done before, under the same key, and nothing was done now; ``balance`` is that of then.
    """

    transaction: Transaction
    balance: Balance
    replayed: bool


def read_balance(wire: Mapping[str, Any]) -> Balance:
    """From the JSON's object. Raises ``KeyError`` where a field is missing."""
    return Balance(wire["balance"], wire["freeCreditsRemaining"], wire["totalEarned"], wire["totalSpent"])


def read_transaction(wire: Mapping[str, Any]) -> Transaction:
    """From the JSON's object; fields of later versions are passed over. Raises ``KeyError`` and ``ValueError``."""
    return Transaction(
        wire["id"],
        wire["userId"],
        wire["type"],
        wire["status"],
        wire["amount"],
        wire["balanceBefore"],
        wire["balanceAfter"],
        wire["appId"],
        wire["origin"],
        wire["description"],
        wire["metadata"],
        wire["idempotencyKey"],
        wire["refersTo"],
        wire["sequence"],
        datetime.fromisoformat(wire["createdAt"]),
        datetime.fromisoformat(wire["completedAt"]),
    )
