"""A line of the log for each command, where the level is DEBUG."""

from __future__ import annotations

import logging

import structlog

from contracts.replies import Done
from workers.intake.delivering import result_of
from workers.intake.identifying import ids
from workers.intake.reading import Item
from workers.intake.settling import Outcome, Poison, Settled

_log = structlog.get_logger(__name__)
_level = logging.getLogger(__name__)


def tell(settled: Settled) -> None:
    """Of each command that a batch came to an end with. The level is asked for once: at others this costs nothing."""
    if not _level.isEnabledFor(logging.DEBUG):
        return
    for portion in settled.portions:
        for item in portion.items:
            _tell(item, settled.outcomes.get(id(item)))


def _tell(item: Item, outcome: Outcome) -> None:
    if item.rejected is not None:
        kind, result = item.rejected.command, item.rejected.error.code
    elif item.request is None or outcome is None:
        return  # it comes again, here or to whoever has its partition now
    else:
        kind = item.request.command.type
        result = "internal" if isinstance(outcome, Poison) else result_of(outcome)
    transaction = outcome.transaction if isinstance(outcome, Done) else None
    made = {} if transaction is None else {"transaction_id": transaction.id}
    redelivered = item.delivery.envelope.redelivered
    _log.debug("command answered", type=kind, result=result, redelivered=redelivered, **made, **ids(item))
