"""Equations 1 to 4: what was acknowledged stands in the ledger, once, and nothing else does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from tests.faults.oracle.books import Books, Row
from tests.faults.oracle.commands import ROW_TYPES, signed
from tests.faults.oracle.equations.evidence import Violation
from tests.faults.oracle.journal import Attempt, Class, Outcome, Told
from tests.faults.oracle.outcomes import attempts_by_key, class_of, class_of_key

OWN_KEYS: Final = {
    "daily:": {"bonus"},
    "expiry:": {"expiry"},
    "mana:": {"bonus"},
    "stripe:": {"purchase", "refund", "clawback"},
}
"""Commands that no client of the journal has sent, and what they may make."""
_CLOCKS_SECONDS: Final = 0.005
"""By so much the client's clock and the database's may differ (one machine)."""


def zero_lost(told: Told, books: Books) -> Iterator[Violation]:
    """1: every acknowledged key has its completed row, with the id, sequence, amount and balances that were told."""
    by_id = {row.id: row for row in books.rows}
    answered = {user for user, _ in books.keys}
    for attempt, outcome in acknowledgements(told):
        if outcome.transaction_id is not None:
            problem = _differs(attempt, outcome, by_id.get(outcome.transaction_id))
        elif attempt.op == "open":
            problem = None if attempt.user in answered else "acknowledged, but no answer is kept"
        else:
            problem = None if (attempt.user, attempt.key) in books.keys else "acknowledged, but no answer is kept"
        if problem is not None:
            yield Violation(1, attempt.user, attempt.key, f"attempt {attempt.n} ({attempt.op}): {problem}")


def _differs(attempt: Attempt, outcome: Outcome, row: Row | None) -> str | None:
    if row is None:
        return f"acknowledged as transaction {outcome.transaction_id}, which is not in the ledger"
    told = (outcome.sequence, outcome.amount, outcome.balance_before, outcome.balance_after)
    stands = (row.sequence, row.amount, row.balance_before, row.balance_after)
    if told != stands:
        return f"was told sequence, amount, balances {told}, the ledger has {stands}"
    if row.user != attempt.user or (attempt.op != "open" and row.key != attempt.key):
        return f"was told transaction {row.id}, which is of user {row.user} and key {row.key}"
    if row.type != ROW_TYPES.get(attempt.op) or row.status != "completed":
        return f"the ledger has a {row.type} that is {row.status}"
    asked = signed(attempt.op, attempt.amount)
    return None if asked is None or asked == row.amount else f"{asked} was asked, the ledger has {row.amount}"


def zero_invented(told: Told, books: Books) -> Iterator[Violation]:
    """2: every row belongs to an attempt, or is a command of the ledger's own, which opens no account."""
    attempts = attempts_by_key(told)
    for row in books.of_others:
        if row.sequence == 1 or row.type not in (_own(row) or ()):
            yield Violation(2, row.user, row.key, f"a {row.type} of {row.amount} for a user of whom nobody had heard")
    for row in books.rows:
        own = _own(row)
        asked = [told.attempts[n] for n in attempts.get((row.user, row.key), ())]
        if own is not None:
            fits = row.type in own
        else:
            fits = any(
                ROW_TYPES.get(attempt.op) == row.type and signed(attempt.op, attempt.amount) in {None, row.amount}
                for attempt in asked
            )
        if not fits:
            yield Violation(2, row.user, row.key, f"a {row.type} of {row.amount} that nobody asked for")
    for user, key in books.keys:
        if not any(told.attempts[n].op in {"open", "freeze", "unfreeze"} for n in attempts.get((user, key), ())):
            yield Violation(2, user, key, "an answer is kept that nobody asked for")


def _own(row: Row) -> set[str] | None:
    """The types of rows that the ledger's own command of that key may make; ``None``: it is a client's."""
    return next((types for prefix, types in OWN_KEYS.items() if row.key.startswith(prefix)), None)


def zero_doubled(told: Told, books: Books) -> Iterator[Violation]:
    """3: one row for each key, and for each user: what came in less what was used is what is held."""
    for (user, key), number in Counter((row.user, row.key) for row in books.rows).items():
        if number > 1:
            yield Violation(3, user, key, f"{number} rows under one key")
    for id_, number in Counter(row.id for row in books.rows).items():
        if number > 1:
            yield Violation(3, "", id_, f"{number} rows with one id")
    yield from _answered_as_new_twice(told)
    yield from _credits(told, books)


def _answered_as_new_twice(told: Told) -> Iterator[Violation]:
    new = Counter(
        (attempt.user, attempt.key if attempt.op != "open" else "")
        for attempt, outcome in acknowledgements(told)
        if outcome.replayed is False
    )
    for (user, key), number in new.items():
        if number > 1:
            yield Violation(3, user, key, f"{number} answers say that it was done now, not before")


def _credits(told: Told, books: Books) -> Iterator[Violation]:
    """Equality, as far as every key is known; between bounds, where one is not."""
    held = {account.user: account.balance + account.free for account in books.accounts.values()}
    expected = Counter[str]()
    for row in books.rows:
        if row.key.startswith(tuple(OWN_KEYS)):
            expected[row.user] += row.amount
    for (user, _), amount in _acknowledged_amounts(told).items():
        expected[user] += amount
    low, high = _of_unknown_keys(told)
    for user in told.users:
        least, most = expected[user] + low[user], expected[user] + high[user]
        if not least <= held.get(user, 0) <= most:
            should = f"{least}" if least == most else f"between {least} and {most}"
            yield Violation(3, user, "", f"holds {held.get(user, 0)} credits; by what was acknowledged {should}")


def _acknowledged_amounts(told: Told) -> dict[tuple[str, str], int]:
    """What each acknowledged key added, as first told; an account opens once, under whichever key."""
    amounts: dict[tuple[str, str], int] = {}
    for attempt, outcome in acknowledgements(told):
        if outcome.amount is not None:
            amounts.setdefault((attempt.user, "" if attempt.op == "open" else attempt.key), outcome.amount)
    return amounts


def _of_unknown_keys(told: Told) -> tuple[Counter[str], Counter[str]]:
    low, high = Counter[str](), Counter[str]()
    for (user, _), attempts in attempts_by_key(told).items():
        if class_of_key(told, attempts) == "unknown":
            amounts = [signed(told.attempts[n].op, told.attempts[n].amount) or 0 for n in attempts]
            low[user] += min(0, *amounts)
            high[user] += max(0, *amounts)
    return low, high


def refused_did_nothing(told: Told, books: Books) -> Iterator[Violation]:
    """4: no row for a key that was only refused or not accepted; and one message gets one answer.

    A refused key may succeed by another attempt, which then was sent before its row was made.
    """
    by_key = books.by_key()
    for (user, key), attempts in attempts_by_key(told).items():
        classes: dict[int, Class] = {n: class_of(told.outcomes.get(n, ())) for n in attempts}
        rows = by_key.get((user, key), [])
        cls = class_of_key(told, attempts)
        if cls in {"refused", "not_accepted"} and (rows or (user, key) in books.keys):
            yield Violation(4, user, key, f"was {cls.replace('_', ' ')}, and stands in the ledger")
        elif "refused" in classes.values() and rows and not _has_maker(told, classes, rows[0]):
            yield Violation(4, user, key, "its row was made by an attempt that was refused")
    yield from _two_answers(told)


def _has_maker(told: Told, classes: dict[int, Class], row: Row) -> bool:
    """Whether an attempt that was not refused can have made the row."""
    return any(
        cls in {"acknowledged", "unknown"} and told.attempts[n].sent_at <= row.created_at + _CLOCKS_SECONDS
        for n, cls in classes.items()
    )


def _two_answers(told: Told) -> Iterator[Violation]:
    answers: dict[tuple[str, str, str], set[str]] = {}
    for n, outcomes in told.outcomes.items():
        attempt = told.attempts.get(n)
        if attempt is not None and attempt.key and attempt.message_id:
            message = (attempt.user, attempt.key, attempt.message_id)
            answers.setdefault(message, set()).update(outcome.cls for outcome in outcomes)
    for (user, key, message_id), classes in answers.items():
        if {"acknowledged", "refused"} <= classes:
            yield Violation(4, user, key, f"the message {message_id} was both refused and acknowledged")


def acknowledgements(told: Told) -> Iterator[tuple[Attempt, Outcome]]:
    """All that was acknowledged to commands with a key, in the order sent."""
    for n, attempt in told.attempts.items():
        if attempt.key:
            for outcome in told.outcomes.get(n, ()):
                if outcome.cls == "acknowledged":
                    yield attempt, outcome
