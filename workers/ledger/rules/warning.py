"""``account.threshold``: below how many credits the user wants to be told."""

from __future__ import annotations

from contracts.commands import SetThreshold, operation
from contracts.replies import Done
from workers.ledger.rules.batch import Batch, Purse
from workers.ledger.rules.journal import record_key


def set_threshold(batch: Batch, purse: Purse, command: SetThreshold) -> Done:
    """Sets it, or takes it away. Who is below it already is told after having been above."""
    account = purse.account
    account.low_threshold = command.below
    batch.outcome.thresholds[account.account_id] = command.below
    return record_key(batch, account, command.idempotency_key, operation(command))
