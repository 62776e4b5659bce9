"""The ledger's plain data: what the rules are given, and what they decide.

Ids are UUIDs in canonical text, amounts whole credits, times aware and in UTC. The state that a batch is decided on
is loaded afresh for each try and belongs to that try alone, so the rules may change it as they go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal

from msgspec import Struct

from contracts.commands import Command
from contracts.errors import Error
from contracts.permissions import Actor
from contracts.replies import Balance, LotKind, Reply, Transaction
from workers.ledger.purchases import Purchase, RefundPolicy

SystemAccount = Literal[
    "system:bonus",
    "system:revenue",
    "system:stripe",
    "system:disputed",
    "system:written_off",
    "system:expired",
    "system:adjustment",
]

FREE_KINDS: Final[frozenset[LotKind]] = frozenset({"signup", "daily", "promotion", "bonus"})
"""Lots that are used before the paid ones (purchases and administrators' corrections)."""


class Terms(Struct, frozen=True):
    """What the house grants by itself, in credits (0 grants nothing), and what becomes of credits that are to be taken
    back and are used already."""

    signup_bonus: int = 150
    daily_free: int = 5
    refund_policy: RefundPolicy = "debt"


class Request(Struct, frozen=True, kw_only=True):
    """One command as it stands before the ledger.

    ``identity`` tells a repeat of the same message from a new try: the property ``message_id``, ``""`` without one.
    A refusal that was stored for the message is looked up when the identity is set, or the broker says ``redelivered``.
    ``excess`` refuses what has no answer yet, whatever it asks: its app has sent too much.
    """

    command: Command
    actor: Actor
    partition: int
    identity: str = ""
    redelivered: bool = False
    deadline: datetime | None = None
    traceparent: str | None = None
    excess: Error | None = None

    @property
    def user_id(self) -> str:
        """The account that the command is about."""
        return self.command.user_id

    @property
    def key(self) -> str | None:
        """The idempotency key; ``None`` for commands that only read."""
        return getattr(self.command, "idempotency_key", None)


@dataclass
class Account:
    """An account's figures, as the row ``credits.balances`` holds them. ``opening_key`` is its first command's key.

    Below ``low_threshold`` credits, paid and free, the user is told; ``None``: never.
    """

    account_id: str
    balance: int
    free_credits_remaining: int
    total_earned: int
    total_spent: int
    sequence: int
    frozen: bool
    last_daily: date
    opening_key: str
    low_threshold: int | None = None
    is_new: bool = False

    @property
    def available(self) -> int:
        """Paid and free credits together."""
        return self.balance + self.free_credits_remaining

    def figures(self) -> Balance:
        """The four figures as they are now."""
        return Balance(self.balance, self.free_credits_remaining, self.total_earned, self.total_spent)


@dataclass
class Lot:
    """Credits of one origin. ``remaining`` changes; all else is fixed when the lot is made."""

    id: str
    account_id: str
    kind: LotKind
    free: bool
    granted: int
    remaining: int
    expires_at: datetime | None
    created_at: datetime
    is_new: bool = False
    changed: bool = False


class Recorded(Struct, frozen=True):
    """The stored answer of an earlier command under its key; ``transaction`` is ``None`` where none was made."""

    operation: str
    transaction: Transaction | None
    balance: Balance


class Burn(Struct, frozen=True):
    """How much of a usage came from which lot; ``lot`` is that lot as it is now, used up or not."""

    number: int
    lot: Lot
    amount: int


@dataclass
class Usage:
    """A usage that a refund names: when it was, whose app's, what it burnt (by number), and what was given back."""

    transaction_id: str
    app_id: str | None
    created_at: datetime
    burns: list[Burn]
    refunded: int


RefusalKey = tuple[str, str, str]
"""Account, idempotency key, identity of the message."""


@dataclass
class State:
    """All that a batch can touch, read under the accounts' locks.

    ``lots`` holds each account's open lots (something remains), in no particular order. ``recorded`` is keyed by
    account and idempotency key, ``usages`` by account and transaction id. ``suspended`` are the users who may use
    nothing whatever their accounts say, those included whose account is not open yet: the front's to write, not ours.
    ``deleted`` are those among them who are users no more: no words about them are kept.
    ``purchases``, by account and id, are those that commands name, and of whoever buys also those with a debt.
    """

    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    lots: dict[str, list[Lot]] = field(default_factory=dict[str, list[Lot]])
    recorded: dict[tuple[str, str], Recorded] = field(default_factory=dict[tuple[str, str], Recorded])
    refusals: dict[RefusalKey, Error] = field(default_factory=dict[RefusalKey, Error])
    usages: dict[tuple[str, str], Usage] = field(default_factory=dict[tuple[str, str], Usage])
    suspended: set[str] = field(default_factory=set[str])
    deleted: set[str] = field(default_factory=set[str])
    purchases: dict[tuple[str, str], Purchase] = field(default_factory=dict[tuple[str, str], Purchase])


class Posting(Struct, frozen=True):
    """``amount`` credits from one account to another, out of or into one lot of the user's.

    Where the user's account is neither side, credits move that were the lot's before, or would be.
    """

    number: int
    source: str
    destination: str
    lot_id: str
    amount: int


class Entry(Struct, frozen=True):
    """A transaction with its postings, as it will be written; ``balance`` are the four figures after it.

    ``reason`` is the administrator's, for an adjustment; it stands beside the transaction and is not part of answers.
    ``low_threshold`` is the account's, where this transaction crossed it.
    """

    transaction: Transaction
    operation: str
    balance: Balance
    postings: tuple[Posting, ...]
    partition: int
    traceparent: str | None
    reason: str | None = None
    low_threshold: int | None = None


class KeyRecord(Struct, frozen=True):
    """The key and answer of a command that made no transaction: freeze, unfreeze, threshold, or a bare opening."""

    account_id: str
    idempotency_key: str
    operation: str
    balance: Balance
    reason: str | None = None


class RefusalRecord(Struct, frozen=True):
    """A refusal, kept so that the same message never gets another answer."""

    account_id: str
    idempotency_key: str
    identity: str
    error: Error


@dataclass
class Outcome:
    """What a batch comes to: a reply for each request, in the same order, and what is to be written.

    ``thresholds`` are the accounts' new ones.
    """

    replies: list[Reply] = field(default_factory=list[Reply])
    entries: list[Entry] = field(default_factory=list[Entry])
    accounts: list[Account] = field(default_factory=list[Account])
    lots: list[Lot] = field(default_factory=list[Lot])
    keys: list[KeyRecord] = field(default_factory=list[KeyRecord])
    refusals: list[RefusalRecord] = field(default_factory=list[RefusalRecord])
    purchases: list[Purchase] = field(default_factory=list[Purchase])
    thresholds: dict[str, int | None] = field(default_factory=dict[str, "int | None"])
