"""Workers with one fault each, as it has been made elsewhere; the oracle must find every one of them.

``MANA_MUTANT=NAME`` (several with commas between) makes the test launcher put one on, before the worker is imported.
Each function's docstring says what the fault stands for, what it does to people's credits, and which scenario must see
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.faults.crash import SpecificationError
from tests.faults.mutants import acknowledging, owning, paying, remembering, telling
from tests.faults.mutants.remembering import KEYS_WITH_CONSTRAINT, KEYS_WITHOUT_CONSTRAINT


@dataclass(frozen=True)
class Mutant:
    """What puts a fault on, and the SQL that the database's owner must have run before a worker starts with it.

    A worker's own role may not take a constraint away. ``restore`` undoes ``prepare``, on an empty ledger.
    """

    apply: Callable[[], None]
    prepare: str = ""
    restore: str = ""


MUTANTS: Final[Mapping[str, Mutant]] = {
    "ack_before_commit": Mutant(acknowledging.ack_before_commit),
    "ack_multiple_over_uncommitted": Mutant(acknowledging.ack_multiple_over_uncommitted),
    "event_before_commit": Mutant(telling.event_before_commit),
    "event_withheld": Mutant(telling.event_withheld),
    "failed_batch_acks_all": Mutant(acknowledging.failed_batch_acks_all),
    "no_epoch_check": Mutant(owning.no_epoch_check),
    "no_unique_key": Mutant(remembering.no_unique_key, KEYS_WITHOUT_CONSTRAINT, KEYS_WITH_CONSTRAINT),
    "refusals_not_stored": Mutant(remembering.refusals_not_stored),
    "retry_in_place_after_lost_commit": Mutant(
        remembering.retry_in_place_after_lost_commit, KEYS_WITHOUT_CONSTRAINT, KEYS_WITH_CONSTRAINT
    ),
}
"""The oracle must catch each of them."""

FORCES: Final[Mapping[str, Mutant]] = {
    "every_partition": Mutant(owning.every_partition),
    "patient_sessions": Mutant(owning.patient_sessions),
    "retry_in_place": Mutant(remembering.retry_in_place),
    "twin_queues": Mutant(owning.twin_queues),
}
"""The worker must bear these."""

PAYING: Final[Mapping[str, Mutant]] = {
    "acknowledged_before_kept": Mutant(paying.acknowledged_before_kept),
    "credited_by_each_event": Mutant(paying.credited_by_each_event),
    "done_before_sent": Mutant(paying.done_before_sent),
    "newest_word_counts": Mutant(paying.newest_word_counts),
}
"""``tests.payments`` must catch each of them; those of its other processes change nothing there."""

PAYING_FORCES: Final[Mapping[str, Mutant]] = {
    "payment_not_told_first": Mutant(paying.payment_not_told_first),
    "repeats_kept_as_new": Mutant(paying.repeats_kept_as_new),
}
"""The ledger must bear these."""


def apply(names: str) -> None:
    """Puts on what is named. Raises ``SpecificationError``."""
    known = {**MUTANTS, **FORCES, **PAYING, **PAYING_FORCES}
    for name in names.split(","):
        if name not in known:
            raise SpecificationError(f"there is no mutant {name!r}")
        known[name].apply()
