"""Equations 6 and 7: each user's transactions in order, and their events too."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from tests.faults.oracle.books import Books, Row
from tests.faults.oracle.equations.evidence import Violation
from tests.faults.oracle.equations.rows import acknowledgements
from tests.faults.oracle.events import Event, Position
from tests.faults.oracle.journal import Attempt, Outcome, Told
from tests.faults.oracle.outcomes import attempts_by_key

EVENT_TYPES: Final = {
    "usage": "credits.used",
    "bonus": "credits.granted",
    "adjustment": "credits.adjusted",
    "refund": "credits.refunded",
    "expiry": "credits.expired",
    "purchase": "credits.purchased",
    "clawback": "credits.clawed_back",
}


def order(told: Told, books: Books, *, ordered: bool = True) -> Iterator[Violation]:
    """6: sequence numbers 1 … n without a gap, a chain of balances, and in the order sent."""
    for user, rows in books.by_user().items():
        for what in _chain(rows):
            yield Violation(6, user, "", what)
        account = books.accounts.get(user)
        if account is not None and account.sequence != rows[-1].sequence:
            yield Violation(
                6, user, "", f"its last sequence is {rows[-1].sequence}, the account says {account.sequence}"
            )
    if ordered:
        yield from _as_sent(told)


def _chain(rows: list[Row]) -> Iterator[str]:
    if rows[0].sequence != 1 or rows[0].balance_before != 0:
        yield f"begins with sequence {rows[0].sequence} at a balance of {rows[0].balance_before}"
    for before, after in pairwise(rows):
        if after.sequence != before.sequence + 1:
            yield f"sequence {before.sequence} is followed by {after.sequence}"
        if after.balance_before != before.balance_after:
            yield f"{before.balance_after} after {before.sequence}, but {after.balance_before} before {after.sequence}"
    for row in rows:
        if row.balance_after != row.balance_before + row.amount:
            yield f"{row.balance_before} and {row.amount} make {row.balance_after} at sequence {row.sequence}"


def _as_sent(told: Told) -> Iterator[Violation]:
    """What one connection sent for one user, and was done then, was done in that order. REST has many connections.

    What a worker did before it died is answered as replayed by the next one: a key that nobody else had sent before
    that answer was done by the attempt that is answered.
    """
    last: dict[tuple[str, str], tuple[int, int]] = {}
    attempts = attempts_by_key(told)
    for attempt, outcome in acknowledgements(told):
        if outcome.sequence is None or attempt.transport == "rest":
            continue
        if outcome.replayed is not False and not _alone(told, attempts[attempt.user, attempt.key], attempt, outcome):
            continue
        place = (attempt.user, attempt.transport)
        n, sequence = last.get(place, (0, 0))
        if outcome.sequence < sequence:
            what = f"attempt {n} has sequence {sequence}, attempt {attempt.n}, sent later, {outcome.sequence}"
            yield Violation(6, attempt.user, attempt.key, what)
        last[place] = max((n, sequence), (attempt.n, outcome.sequence), key=lambda one: one[1])


def _alone(told: Told, attempts: list[int], attempt: Attempt, outcome: Outcome) -> bool:
    """Whether no other attempt of the key can have done what is answered; an account opens under any key."""
    return attempt.op != "open" and all(n == attempt.n or told.attempts[n].sent_at > outcome.at for n in attempts)


def events(told: Told, books: Books, seen: list[Event], log: list[Event]) -> Iterator[Violation]:
    """7: at the subscriber and in the log, the events are exactly the rows, in order, and never before their row."""
    users = told.users
    for where, told_events in (("the subscriber", seen), ("the log", log)):
        mine = [event for event in told_events if event.subject in users and event.sequence is not None]
        yield from _exactly_the_rows(where, mine, books)
        yield from _in_order(where, mine)
        for event in mine:
            if event.visible is False:
                yield _of(event, f"{where} had its event when the row was not visible yet")
    for event in seen:
        if event.subject not in users and event.visible is False:
            yield _of(event, "an event of a user of whom nobody had heard, and of no row")


def _exactly_the_rows(where: str, mine: list[Event], books: Books) -> Iterator[Violation]:
    rows = {(row.user, row.sequence): row for row in books.rows}
    came: dict[Position, set[str]] = {}
    for event in mine:
        position = (event.subject, event.sequence or 0)
        ids = came.setdefault(position, set())
        if event.id not in ids:
            ids.add(event.id)
            row = rows.get(position)
            if row is None:
                yield _of(event, f"{where} had an event of no row")
            elif (event.id, event.transaction_id, event.amount, event.type) != _event_of(row):
                yield _of(event, f"{where} had an event that is not its row's: {event}")
    for position, ids in came.items():
        if len(ids) > 1:
            yield Violation(7, position[0], "", f"{where}: sequence {position[1]} came with {len(ids)} ids")
    for user, sequence in rows.keys() - came.keys():
        row = rows[user, sequence]
        yield Violation(7, user, row.key, f"{where} never had the event of sequence {sequence}", "missing")


def _event_of(row: Row) -> tuple[str, str, int, str]:
    begins_dispute = row.type == "clawback" and row.key.startswith("stripe:dispute:") and row.key.endswith(":open")
    return row.id, row.id, row.amount, "credits.disputed" if begins_dispute else EVENT_TYPES.get(row.type, "")


def _in_order(where: str, mine: list[Event]) -> Iterator[Violation]:
    had: set[Position] = set()
    last: dict[str, int] = {}
    for event in mine:
        sequence = event.sequence or 0
        if (event.subject, sequence) in had:
            continue
        had.add((event.subject, sequence))
        if sequence < last.get(event.subject, 0):
            what = f"sequence {sequence}: {where} had it behind sequence {last[event.subject]}"
            yield Violation(7, event.subject, "", what, "out of order")
        last[event.subject] = max(sequence, last.get(event.subject, 0))


def _of(event: Event, what: str) -> Violation:
    return Violation(7, event.subject, "", f"sequence {event.sequence}: {what}")
