"""What the ledger has to tell: its new rows, in the order of their positions."""

from __future__ import annotations

from typing import NamedTuple

from contracts.replies import Balance, Transaction


class Happening(NamedTuple):
    """A transaction in its place in its partition, with the figures after it: what an event is made of.

    ``low_threshold``: the account's, where the transaction crossed it.
    """

    position: int
    transaction: Transaction
    balance: Balance
    traceparent: str | None
    low_threshold: int | None = None
