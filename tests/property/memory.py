"""A stand-in for the database: keeps what the rules decide, with the schema's constraints, and loads it for a batch.

It is as unhelpful as the real one may be: what it loads are fresh copies, in no useful order, no object shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

import msgspec

from contracts.commands import Buy, OfPurchase, Open, Refund
from contracts.errors import Error
from contracts.fields import BALANCE_MAX
from contracts.replies import Reply
from tests.property.closing import gained, sides_fit
from workers.ledger.model import (
    Account,
    Burn,
    Entry,
    KeyRecord,
    Lot,
    Outcome,
    Recorded,
    RefusalKey,
    Request,
    State,
    Terms,
    Usage,
)
from workers.ledger.purchases import Purchase, RefundPolicy
from workers.ledger.rules import decide


def fresh_ids() -> Iterator[str]:
    """Ids that rise, as those of version 7 do."""
    return (f"0190f000-0000-7000-8000-{number:012x}" for number in count(1))


@dataclass
class MemoryLedger:
    """Tables as dicts. ``outcomes`` are those of every batch, for tests that look closer."""

    terms: Terms = field(default_factory=Terms)
    ids: Iterator[str] = field(default_factory=fresh_ids)
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    lots: dict[str, dict[str, Lot]] = field(default_factory=dict[str, dict[str, Lot]])
    entries: dict[str, dict[str, Entry]] = field(default_factory=dict[str, dict[str, Entry]])
    answers: dict[tuple[str, str], Recorded] = field(default_factory=dict[tuple[str, str], Recorded])
    refusals: dict[RefusalKey, Error] = field(default_factory=dict[RefusalKey, Error])
    suspended: set[str] = field(default_factory=set[str])
    purchases: dict[tuple[str, str], Purchase] = field(default_factory=dict[tuple[str, str], Purchase])
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    def apply(self, requests: Sequence[Request], now: datetime) -> list[Reply]:
        """Loads what the batch can touch, decides, and keeps what came of it."""
        outcome = decide(self._load(requests), requests, now=now, terms=self.terms, ids=self.ids)
        self._keep(outcome, now)
        self.outcomes.append(outcome)
        return outcome.replies

    def suspend(self, user_id: str, *, suspended: bool) -> None:
        """Notes whether the user may use anything, as the front does."""
        if suspended:
            self.suspended.add(user_id)
        else:
            self.suspended.discard(user_id)

    def set_policy(self, policy: RefundPolicy) -> None:
        """Other terms."""
        self.terms = msgspec.structs.replace(self.terms, refund_policy=policy)

    def sell(self, user_id: str, purchase_id: str, size: int, price: int, now: datetime) -> None:
        """A row as the front makes it."""
        new = Purchase(
            account_id=user_id,
            id=purchase_id,
            credits=size,
            amount=price,
            currency="eur",
            status="pending",
            payment_intent_id=None,
            checkout_session_id=None,
            created_at=now,
            completed_at=None,
            refunds={},
            disputes={},
            taken=0,
            debt=0,
            written_off=0,
            held=0,
        )
        self.purchases[user_id, purchase_id] = new

    def account(self, user_id: str) -> Account | None:
        """The account as it is kept."""
        return self.accounts.get(user_id)

    def lots_of(self, user_id: str) -> list[Lot]:
        """Every lot of the account, the oldest first."""
        return sorted(self.lots.get(user_id, {}).values(), key=lambda lot: (lot.created_at, lot.id))

    def purchases_of(self, user_id: str) -> list[Purchase]:
        """The account's purchases, in the order of their ids."""
        mine = (purchase for purchase in self.purchases.values() if purchase.account_id == user_id)
        return sorted(mine, key=lambda purchase: purchase.id)

    def entries_of(self, user_id: str) -> list[Entry]:
        """The account's transactions, by sequence."""
        return list(self.entries.get(user_id, {}).values())

    def _load(self, requests: Sequence[Request]) -> State:
        state = State()
        for request in requests:
            user_id, key = request.user_id, request.key
            if user_id in self.suspended:
                state.suspended.add(user_id)
            if user_id in self.accounts:
                state.accounts[user_id] = replace(self.accounts[user_id])
                state.lots[user_id] = [_copy(lot) for lot in reversed(self.lots_of(user_id)) if lot.remaining > 0]
            if key is not None:
                self._load_answers(state, request, key)
            if isinstance(request.command, Refund):
                self._load_usage(state, user_id, request.command.transaction_id)
            if isinstance(request.command, OfPurchase):
                self._load_purchases(state, request.command)
        return state

    def _load_purchases(self, state: State, command: OfPurchase) -> None:
        for (user_id, name), purchase in self.purchases.items():
            wanted = name == command.purchase_id or (isinstance(command, Buy) and purchase.debt)
            if user_id == command.user_id and wanted:
                lot = self.lots.get(user_id, {}).get(name)
                copied = replace(purchase, refunds=dict(purchase.refunds), disputes=dict(purchase.disputes))
                state.purchases[user_id, name] = replace(copied, left=None if lot is None else lot.remaining)

    def _load_answers(self, state: State, request: Request, key: str) -> None:
        user_id = request.user_id
        keys = {key}
        if isinstance(request.command, Open) and user_id in self.accounts:
            keys.add(self.accounts[user_id].opening_key)
        state.recorded |= {(user_id, one): self.answers[user_id, one] for one in keys if (user_id, one) in self.answers}
        refusal = (user_id, key, request.identity)
        if refusal in self.refusals:
            state.refusals[refusal] = self.refusals[refusal]

    def _load_usage(self, state: State, user_id: str, transaction_id: str) -> None:
        entry = self.entries.get(user_id, {}).get(transaction_id)
        if entry is None or entry.transaction.type != "usage":
            return
        lots = self.lots[user_id]
        burns = [Burn(posting.number, _copy(lots[posting.lot_id]), posting.amount) for posting in entry.postings]
        rows = (other.transaction for other in self.entries_of(user_id))
        refunded = sum(row.amount for row in rows if row.refers_to == transaction_id)
        row = entry.transaction
        state.usages[user_id, row.id] = Usage(row.id, row.app_id, row.created_at, burns, refunded)

    def _keep(self, outcome: Outcome, now: datetime) -> None:
        _only_once(account.account_id for account in outcome.accounts)
        _only_once(lot.id for lot in outcome.lots)
        _only_once((refusal.account_id, refusal.idempotency_key, refusal.identity) for refusal in outcome.refusals)
        _only_once(purchase.id for purchase in outcome.purchases)
        for account in outcome.accounts:
            self._keep_account(account)
        for lot in outcome.lots:
            self._keep_lot(lot, now)
        for entry in outcome.entries:
            self._keep_entry(entry, now)
        for user_id, threshold in outcome.thresholds.items():
            self.accounts[user_id].low_threshold = threshold
        for record in outcome.keys:
            self._keep_key(record)
        for purchase in outcome.purchases:
            self._keep_purchase(purchase)
        for refusal in outcome.refusals:
            self.refusals[refusal.account_id, refusal.idempotency_key, refusal.identity] = refusal.error

    def _keep_account(self, account: Account) -> None:
        assert account.is_new != (account.account_id in self.accounts)
        assert min(account.balance, account.free_credits_remaining, account.total_earned, account.total_spent) >= 0
        assert account.available <= BALANCE_MAX
        known = self.accounts.get(account.account_id)
        threshold = None if known is None else known.low_threshold
        self.accounts[account.account_id] = replace(account, is_new=False, low_threshold=threshold)

    def _keep_lot(self, lot: Lot, now: datetime) -> None:
        mine = self.lots.setdefault(lot.account_id, {})
        assert lot.is_new != (lot.id in mine)
        assert lot.is_new != lot.changed
        assert 0 <= lot.remaining <= lot.granted
        assert lot.created_at == now or not lot.is_new
        assert lot.is_new or replace(mine[lot.id], remaining=lot.remaining) == _copy(lot), (
            "only what is left may change"
        )
        mine[lot.id] = _copy(lot)

    def _keep_entry(self, entry: Entry, now: datetime) -> None:
        row = entry.transaction
        mine = self.entries.setdefault(row.user_id, {})
        assert (row.user_id, row.idempotency_key) not in self.answers, "one transaction for each key"
        assert row.sequence == len(mine) + 1, "gapless"
        assert row.balance_after == row.balance_before + row.amount
        assert row.balance_after == entry.balance.balance + entry.balance.free_credits_remaining
        assert row.created_at == row.completed_at == now
        assert [posting.number for posting in entry.postings] == list(range(1, len(entry.postings) + 1))
        assert sum(gained(posting, row.user_id) for posting in entry.postings) == row.amount
        assert row.type == "clawback" or sum(posting.amount for posting in entry.postings) == abs(row.amount) > 0
        for posting in entry.postings:
            assert posting.amount > 0
            assert sides_fit(posting, row.user_id)
        mine[row.id] = entry
        self.answers[row.user_id, row.idempotency_key] = Recorded(entry.operation, row, entry.balance)

    def _keep_purchase(self, purchase: Purchase) -> None:
        before = self.purchases[purchase.account_id, purchase.id]
        fixed = (purchase.credits, purchase.amount, purchase.currency, purchase.created_at)
        assert fixed == (before.credits, before.amount, before.currency, before.created_at)
        assert before.completed_at in (None, purchase.completed_at)
        assert before.refunds.keys() <= purchase.refunds.keys()
        assert before.disputes.keys() <= purchase.disputes.keys()
        assert 0 <= purchase.taken <= purchase.credits
        assert min(purchase.debt, purchase.written_off) >= 0
        assert purchase.debt + purchase.written_off <= purchase.taken
        assert 0 <= purchase.held <= purchase.credits
        assert purchase.is_paid or purchase.taken + purchase.held == 0
        assert purchase.is_paid == (purchase.status in ("completed", "refunded", "disputed"))
        self.purchases[purchase.account_id, purchase.id] = replace(purchase, left=None, changed=False)

    def _keep_key(self, record: KeyRecord) -> None:
        place = (record.account_id, record.idempotency_key)
        assert place not in self.answers, "one answer for each key"
        self.answers[place] = Recorded(record.operation, None, record.balance)


def _copy(lot: Lot) -> Lot:
    return replace(lot, is_new=False, changed=False)


def _only_once(names: Iterable[object]) -> None:
    listed = list(names)
    assert len(listed) == len(set(listed)), "each is written once"
