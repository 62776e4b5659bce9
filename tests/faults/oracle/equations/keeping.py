"""Equations 8 to 10: the books are clean, no message has vanished, and every partition answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.faults.oracle.books import Account, Books
from tests.faults.oracle.dead import DeadCopy
from tests.faults.oracle.equations.evidence import Evidence, Violation
from tests.faults.oracle.journal import Attempt, Told
from tests.faults.oracle.outcomes import BEFORE_THE_LEDGER, attempts_by_key, class_of, unknown_keys

ANSWER_SECONDS = 1.0
"""So soon a partition answers that is well."""


def books_are_clean(books: Books, audit: str | None) -> Iterator[Violation]:
    """8: balances = lots = postings, nothing negative; and the audit of the whole ledger says so too."""
    if audit is not None:
        yield Violation(8, "", "", f"mana verify: {audit}")
    for user in {row.user for row in books.rows} - books.accounts.keys():
        yield Violation(8, user, "", "has transactions and no account")
    for account in books.accounts.values():
        if not _is_clean(account):
            yield Violation(8, account.user, "", f"balance, lots and postings do not agree: {account}")


def _is_clean(account: Account) -> bool:
    held = account.balance + account.free
    return held == account.lots == account.postings and min(account.balance, account.free) >= 0


def nothing_vanishes(evidence: Evidence) -> Iterator[Violation]:
    """9: what was confirmed has left a row, a refusal or a dead copy; and no other dead copies are there."""
    for queue, number in evidence.waiting.items():
        yield Violation(9, "", "", f"{number} messages lie in {queue} still")
    yield from _vanished(evidence)
    yield from _dead(evidence)


def _vanished(evidence: Evidence) -> Iterator[Violation]:
    told = evidence.told
    before = _Traces(evidence.quiet, evidence.dead)
    after = _Traces(evidence.books, evidence.dead)
    judging = told.before_judging
    excused = _refused_without_a_trace(told)
    for n in told.confirmed & told.attempts.keys():
        attempt = told.attempts[n]
        answered = class_of(told.outcomes.get(n, ())) in {"acknowledged", "refused"}
        if answered or not attempt.key or (attempt.user, attempt.key) in excused:
            continue
        if not (before if n <= judging else after).of(attempt):
            what = f"attempt {n} (message {attempt.message_id}) was confirmed, and nothing came of it"
            yield Violation(9, attempt.user, attempt.key, what)


class _Traces:
    """What a command may have left behind."""

    def __init__(self, books: Books, dead: list[DeadCopy]) -> None:
        self._books = books
        self._rows = {(row.user, row.key) for row in books.rows}
        self._dead = {name for copy in dead for name in copy.names}

    def of(self, attempt: Attempt) -> bool:
        """Whether there is any of this attempt, or of its key."""
        key = (attempt.user, attempt.key)
        return (
            key in self._rows
            or key in self._books.keys
            or (*key, attempt.message_id) in self._books.refusals
            or attempt.message_id in self._dead
            or (attempt.op == "open" and attempt.user in self._books.accounts)
        )


def _refused_without_a_trace(told: Told) -> set[tuple[str, str]]:
    """The keys of commands that are refused by their looks: such a refusal is an answer, and is stored nowhere."""
    return {
        key
        for key, attempts in attempts_by_key(told).items()
        if any(outcome.code in BEFORE_THE_LEDGER for n in attempts for outcome in told.outcomes.get(n, ()))
    }


def _dead(evidence: Evidence) -> Iterator[Violation]:
    copies = Counter[str]()
    owners = {attempt.message_id: attempt for attempt in evidence.told.attempts.values() if attempt.message_id}
    for copy in evidence.dead:
        if copy.names & evidence.expected_dead:
            copies.update(copy.names & evidence.expected_dead)
            continue
        attempt = next((owners[name] for name in copy.names if name in owners), None)
        user, key = ("", "") if attempt is None else (attempt.user, attempt.key)
        yield Violation(9, user, key, f"lies in credits.dead: {copy.reason} ({', '.join(sorted(copy.names))})")
    for name in evidence.expected_dead - copies.keys():
        yield Violation(9, "", name, "should lie in credits.dead, and does not")
    for name, number in copies.items():
        if number > 1 and not evidence.dead_again:
            yield Violation(9, "", name, f"lies in credits.dead {number} times")


def everybody_answers(told: Told, probes: dict[int, float | None]) -> Iterator[Violation]:
    """10: each partition has answered a probe in time (no probe at all is a breach), and each key in the end."""
    for user, key in unknown_keys(told):
        yield Violation(10, user, key, "has no definite answer, though it was asked for again")
    if not probes:
        yield Violation(10, "", "", "no partition was probed")
    for partition, seconds in sorted(probes.items()):
        if seconds is None:
            yield Violation(10, "", "", f"partition {partition} does not answer within {ANSWER_SECONDS:.0f} s")
