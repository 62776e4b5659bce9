"""Equation 5: a repeat is answered like the first time, byte for byte; another command under the key is a conflict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.faults.oracle.client import STRAY
from tests.faults.oracle.equations.evidence import Violation
from tests.faults.oracle.journal import Attempt, Outcome, Told
from tests.faults.oracle.outcomes import BEFORE_THE_LEDGER, UNREADABLE, attempts_by_key, class_of

_OPERATION: Final = ("amount", "appId", "transactionId", "source", "expiresAt")
"""The fields that make two commands under one key the same, besides the type."""


def replay_is_identical(told: Told) -> Iterator[Violation]:
    """5: see the module."""
    yield from _unreadable(told)
    yield from _different_answers(told)
    judging = told.before_judging
    for (user, key), attempts in attempts_by_key(told).items():
        if len(attempts) > 1:
            for what in _after_the_first(told, [told.attempts[n] for n in attempts], judging):
                yield Violation(5, user, key, what)


def _unreadable(told: Told) -> Iterator[Violation]:
    for n, outcomes in told.outcomes.items():
        for code in {outcome.code for outcome in outcomes} & {UNREADABLE, STRAY}:
            attempt = told.attempts.get(n)
            user, key = ("", "") if attempt is None else (attempt.user, attempt.key)
            yield Violation(5, user, key, f"attempt {n}: a reply that is {code}")


def _different_answers(told: Told) -> Iterator[Violation]:
    acknowledged: dict[tuple[str, str], set[str]] = {}
    refused: dict[tuple[str, str, str], set[str]] = {}
    for n, attempt in told.attempts.items():
        key = "" if attempt.op == "open" else attempt.key  # every opening answers the first one's result
        for outcome in told.outcomes.get(n, ()) if attempt.key else ():
            if outcome.digest is not None and outcome.cls == "acknowledged":
                acknowledged.setdefault((attempt.user, key), set()).add(outcome.digest)
            elif outcome.digest is not None and attempt.message_id:
                refused.setdefault((attempt.user, attempt.key, attempt.message_id), set()).add(outcome.digest)
    for (user, key), digests in acknowledged.items():
        if len(digests) > 1:
            yield Violation(5, user, key, f"acknowledged with {len(digests)} different answers")
    for (user, key, message_id), digests in refused.items():
        if len(digests) > 1:
            yield Violation(5, user, key, f"the message {message_id} was refused with {len(digests)} different answers")


def _after_the_first(told: Told, attempts: list[Attempt], judging: int) -> Iterator[str]:
    """What is wrong with the attempts that were sent when the key's first acknowledgement was known already.

    ``judging``: the last attempt before the judge's own; it asks again what met a full queue, so one answer is enough.
    """
    first = min(
        ((outcome.at, attempt.n) for attempt in attempts for outcome in _acknowledged(told, attempt)), default=None
    )
    if first is None:
        return
    known_at, n = first
    operation = _operation(told.attempts[n])
    answered = {attempt.body for attempt in attempts if attempt.n > judging and _is_answered(told, attempt)}
    refused_messages: set[str] = set()
    for attempt in attempts:
        same = _operation(attempt) == operation
        outcomes = told.outcomes.get(attempt.n, [])
        cls = class_of(outcomes)
        if cls == "acknowledged" and not same:
            yield f"attempt {attempt.n} is another operation than {n}, and both were acknowledged"
        if attempt.sent_at > known_at:
            if attempt.n > judging and attempt.body not in answered:
                yield f"attempt {attempt.n} repeats what was acknowledged, and had no answer: {cls}"
            repeated_message = attempt.message_id in refused_messages
            yield from _not_a_replay(attempt, outcomes) if same and not repeated_message else ()
            yield from _not_a_conflict(attempt, outcomes) if not same and not repeated_message else ()
        if cls == "refused" and attempt.message_id:
            refused_messages.add(attempt.message_id)


def _not_a_replay(attempt: Attempt, outcomes: list[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if outcome.cls == "refused":
            yield f"attempt {attempt.n} repeats what was acknowledged, and was refused: {outcome.code}"
        elif outcome.cls == "acknowledged" and outcome.replayed is False:
            yield f"attempt {attempt.n} repeats what was acknowledged, and was done again"


def _not_a_conflict(attempt: Attempt, outcomes: list[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if outcome.cls == "refused" and outcome.code not in BEFORE_THE_LEDGER | {"idempotency_conflict"}:
            yield f"attempt {attempt.n} conflicts with what was acknowledged, and was refused otherwise: {outcome.code}"


def _is_answered(told: Told, attempt: Attempt) -> bool:
    return class_of(told.outcomes.get(attempt.n, [])) in {"acknowledged", "refused"}


def _acknowledged(told: Told, attempt: Attempt) -> Iterator[Outcome]:
    return (outcome for outcome in told.outcomes.get(attempt.n, ()) if outcome.cls == "acknowledged")


def _operation(attempt: Attempt) -> tuple[Any, ...]:
    fields = json.loads(attempt.body)
    return attempt.op, *(fields.get(name) for name in _OPERATION)
