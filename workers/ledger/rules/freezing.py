"""``account.freeze`` and ``account.unfreeze``: whether credits may be used; neither makes a transaction."""

from __future__ import annotations

from contracts.commands import Freeze, Unfreeze, operation
from contracts.replies import Done
from workers.ledger.rules.batch import Batch, Purse, mark_changed
from workers.ledger.rules.journal import record_key


def set_frozen(batch: Batch, purse: Purse, command: Freeze | Unfreeze) -> Done:
    """Freezes or unfreezes; an account that is so already stays so."""
    frozen = isinstance(command, Freeze)
    if purse.account.frozen != frozen:
        purse.account.frozen = frozen
        mark_changed(batch, purse)
    return record_key(batch, purse.account, command.idempotency_key, operation(command), command.reason)
