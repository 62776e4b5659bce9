"""What the commands of one batch share: the state they are decided on, and what they have come to so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from workers.ledger.model import Account, Lot, Outcome, RefusalKey, RefusalRecord, State, Terms
from workers.ledger.purchases import Purchase


@dataclass(slots=True)
class Purse:
    """An account with its open lots.

    ``lots`` stand in the order in which they are used, none of them expired. ``known`` is every lot of the account that
    the batch has met, by id: a refund must meet the very object that other commands changed.
    """

    account: Account
    lots: list[Lot]
    known: dict[str, Lot]
    changed: bool = False


@dataclass(slots=True)
class Batch:
    """The batch on its way: ``now`` in UTC, ``today`` its date, ``ids`` fresh UUIDs for transactions and lots."""

    state: State
    now: datetime
    today: date
    terms: Terms
    ids: Iterator[str]
    purses: dict[str, Purse] = field(default_factory=dict[str, Purse])
    refusals: dict[RefusalKey, RefusalRecord] = field(default_factory=dict[RefusalKey, RefusalRecord])
    outcome: Outcome = field(default_factory=Outcome)


def mark_changed(batch: Batch, purse: Purse) -> None:
    """Sees to it that the account is written, once."""
    if not purse.changed:
        purse.changed = True
        batch.outcome.accounts.append(purse.account)


def mark_purchase(batch: Batch, purchase: Purchase) -> None:
    """Sees to it that the purchase is written, once."""
    if not purchase.changed:
        purchase.changed = True
        batch.outcome.purchases.append(purchase)
