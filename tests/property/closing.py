"""What the property tests ask of any ledger, and what must hold of it at any time, from its rows alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from contracts.replies import Reply
from workers.ledger.model import Account, Entry, Lot, Posting, Request
from workers.ledger.purchases import Purchase, RefundPolicy


class Ledger(Protocol):
    """What the property tests ask of a ledger; the real executor and its database can stand behind it as well."""

    def apply(self, requests: Sequence[Request], now: datetime) -> list[Reply]:
        """Decides and keeps one batch, at this time."""
        ...

    def suspend(self, user_id: str, *, suspended: bool) -> None:
        """From the next batch on the user may use nothing, or again what the account allows."""
        ...

    def set_policy(self, policy: RefundPolicy) -> None:
        """From now on this becomes of used credits that are to be taken back."""
        ...

    def sell(self, user_id: str, purchase_id: str, size: int, price: int, now: datetime) -> None:
        """The user begins a purchase of so many credits, at a price in euro cents."""
        ...

    def account(self, user_id: str) -> Account | None:
        """The account as it is kept."""
        ...

    def purchases_of(self, user_id: str) -> list[Purchase]:
        """The account's purchases, in the order of their ids."""
        ...

    def lots_of(self, user_id: str) -> list[Lot]:
        """Every lot of the account, used up or not, the oldest first."""
        ...

    def entries_of(self, user_id: str) -> list[Entry]:
        """The account's transactions, by sequence."""
        ...


def books_close(ledger: Ledger, user_id: str) -> None:
    """What must hold of every account at any time, from its rows alone."""
    account, lots, entries = ledger.account(user_id), ledger.lots_of(user_id), ledger.entries_of(user_id)
    if account is None:
        assert not lots
        assert not entries
        return
    assert account.free_credits_remaining == sum(lot.remaining for lot in lots if lot.free)
    assert account.balance == sum(lot.remaining for lot in lots if not lot.free)
    assert [entry.transaction.sequence for entry in entries] == list(range(1, account.sequence + 1))
    before = 0
    left = dict.fromkeys((lot.id for lot in lots), 0)
    for entry in entries:
        assert entry.transaction.balance_before == before
        before = entry.transaction.balance_after
        for posting in entry.postings:
            left[posting.lot_id] += gained(posting, user_id)
            assert left[posting.lot_id] >= 0
    assert before == account.available
    assert left == {lot.id: lot.remaining for lot in lots}
    assert not entries or account.figures() == entries[-1].balance
    _purchases_close(ledger.purchases_of(user_id), lots, entries)


def _purchases_close(purchases: Iterable[Purchase], lots: Iterable[Lot], entries: Iterable[Entry]) -> None:
    """Each is credited once if paid; and its figures are what the transactions that refer to it moved."""
    credited = Counter(entry.transaction.id for entry in entries if entry.transaction.type == "purchase")
    granted = {lot.id: lot.granted for lot in lots if lot.kind == "purchase"}
    moved = Counter[tuple[str | None, str]]()
    for entry in entries:
        if entry.transaction.type == "clawback":
            for posting in entry.postings:
                moved[entry.transaction.refers_to, posting.destination] += posting.amount
                moved[entry.transaction.refers_to, posting.source] -= posting.amount
    for purchase in purchases:
        name = purchase.id
        assert credited.pop(name, 0) == purchase.is_paid
        assert granted.get(name) == (purchase.credits if purchase.is_paid else None)
        assert moved[name, "system:stripe"] == purchase.taken
        assert moved[name, "system:disputed"] == purchase.held
        assert moved[name, f"debt:{purchase.account_id}"] == -purchase.debt
        assert moved[name, "system:written_off"] == -purchase.written_off
    assert not credited


def gained(posting: Posting, user_id: str) -> int:
    """What the account got by it, or lost."""
    return posting.amount * ((posting.destination == user_id) - (posting.source == user_id))


def sides_fit(posting: Posting, user_id: str) -> bool:
    """The account and the house or its own debt; or Stripe and where a purchase's credits are that are not in a lot."""
    sides = {posting.source, posting.destination}
    debt = f"debt:{user_id}"
    if user_id in sides:
        (other,) = sides - {user_id}
        return other.startswith("system:") or posting.destination == debt
    return "system:stripe" in sides and len(sides & {"system:disputed", "system:written_off", debt}) == 1
