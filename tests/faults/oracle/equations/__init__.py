"""The ten equations, each a function over plain data that yields its breaches."""

from __future__ import annotations

from tests.faults.oracle.equations.answers import replay_is_identical
from tests.faults.oracle.equations.evidence import Evidence, Violation
from tests.faults.oracle.equations.keeping import ANSWER_SECONDS, books_are_clean, everybody_answers, nothing_vanishes
from tests.faults.oracle.equations.order import events, order
from tests.faults.oracle.equations.rows import refused_did_nothing, zero_doubled, zero_invented, zero_lost

__all__ = ["ANSWER_SECONDS", "Evidence", "Violation", "check"]


def check(evidence: Evidence) -> list[Violation]:
    """All breaches of all ten."""
    told, books = evidence.told, evidence.books
    return [
        *zero_lost(told, books),
        *zero_invented(told, books),
        *zero_doubled(told, books),
        *refused_did_nothing(told, books),
        *replay_is_identical(told),
        *order(told, books, ordered=evidence.ordered),
        *events(told, books, evidence.seen, evidence.log),
        *books_are_clean(books, evidence.audit),
        *nothing_vanishes(evidence),
        *everybody_answers(told, evidence.probes),
    ]
