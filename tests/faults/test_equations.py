"""Each equation notices each way to break it, and is content with a run where nothing is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.faults.oracle.books import Books, Row
from tests.faults.oracle.dead import DeadCopy
from tests.faults.oracle.equations import JUDGING, Evidence, check
from tests.faults.oracle.events import Event
from tests.faults.oracle.journal import Attempt, Outcome
from tests.faults.synthetic import clean_run

Break = Callable[[Evidence], None]


def broken(evidence: Evidence) -> set[int]:
    """The equations that do not hold."""
    return {violation.equation for violation in check(evidence)}


# Hands that break things


def attempts(evidence: Evidence, key: str, user: str | None = None) -> list[Attempt]:
    found = [a for a in evidence.told.attempts.values() if a.key == key and user in {None, a.user}]
    assert found, key
    return found


def row_of(books: Books, key: str) -> Row:
    return next(row for row in books.rows if row.key == key)


def change_row(key: str, /, **changes: Any) -> Break:
    def apply(evidence: Evidence) -> None:
        row = row_of(evidence.books, key)
        evidence.books.rows[evidence.books.rows.index(row)] = msgspec.structs.replace(row, **changes)

    return apply


def remove_row(key: str) -> Break:
    return lambda evidence: evidence.books.rows.remove(row_of(evidence.books, key))


def add_row(like: str, /, **changes: Any) -> Break:
    def apply(evidence: Evidence) -> None:
        evidence.books.rows.append(msgspec.structs.replace(row_of(evidence.books, like), **changes))

    return apply


def change_answer(key: str, index: int = 0, **changes: Any) -> Break:
    """Of the key's attempt number ``index`` the last thing that it was told."""

    def apply(evidence: Evidence) -> None:
        outcomes = evidence.told.outcomes[attempts(evidence, key)[index].n]
        outcomes[-1] = msgspec.structs.replace(outcomes[-1], **changes)

    return apply


def tell_more(key: str, index: int = 0, **answer: Any) -> Break:
    def apply(evidence: Evidence) -> None:
        n = attempts(evidence, key)[index].n
        last = evidence.told.outcomes[n][-1]
        evidence.told.outcomes[n].append(msgspec.structs.replace(last, **answer))

    return apply


def change_account(user: str, **changes: int) -> Break:
    def apply(evidence: Evidence) -> None:
        accounts = evidence.books.accounts
        accounts[user] = msgspec.structs.replace(accounts[user], **changes)

    return apply


def remove_account(evidence: Evidence) -> None:
    del evidence.books.accounts["ann"]


def change_event(where: str, key: str, **changes: Any) -> Break:
    def apply(evidence: Evidence) -> None:
        told: list[Event] = getattr(evidence, where)
        id_ = row_of(evidence.books, key).id
        (place, event) = next((place, event) for place, event in enumerate(told) if event.id == id_)
        told[place] = msgspec.structs.replace(event, **changes)

    return apply


def remove_event(where: str, key: str) -> Break:
    def apply(evidence: Evidence) -> None:
        told: list[Event] = getattr(evidence, where)
        id_ = row_of(evidence.books, key).id
        told[:] = [event for event in told if event.id != id_]

    return apply


def add_event(where: str, key: str, **changes: Any) -> Break:
    def apply(evidence: Evidence) -> None:
        told: list[Event] = getattr(evidence, where)
        id_ = row_of(evidence.books, key).id
        told.append(msgspec.structs.replace(next(event for event in told if event.id == id_), **changes))

    return apply


def swap_events(where: str, one: str, other: str) -> Break:
    def apply(evidence: Evidence) -> None:
        told: list[Event] = getattr(evidence, where)
        ids = {row_of(evidence.books, key).id for key in (one, other)}
        places = [place for place, event in enumerate(told) if event.id in ids]
        first, second = places[0], places[-1]
        told[first], told[second] = told[second], told[first]

    return apply


def keep_answer(user: str, key: str) -> Break:
    return lambda evidence: evidence.books.keys.add((user, key))


def all_of(*breaks: Break) -> Break:
    def apply(evidence: Evidence) -> None:
        for each in breaks:
            each(evidence)

    return apply


def swap_order(evidence: Evidence) -> None:
    """Two uses of the same amount, sent first and last, were done the other way round; all figures agree with that."""
    first, last = row_of(evidence.books, "late"), row_of(evidence.books, "chat")
    for key, row in (("late", last), ("chat", first)):
        change_answer(key, sequence=row.sequence)(evidence)
    change_row("late", sequence=-1)(evidence)
    change_row("chat", sequence=first.sequence)(evidence)
    change_row("late", sequence=last.sequence)(evidence)


def forget_refused_unheard(evidence: Evidence) -> None:
    evidence.quiet.refusals = {refusal for refusal in evidence.quiet.refusals if refusal[1] != "refused unheard"}


def purge(evidence: Evidence) -> None:
    """The message was confirmed and lost; only the judge's own attempt made the row."""
    evidence.told.confirmed.add(attempts(evidence, "never arrived")[0].n)


def make_by_a_refused_attempt(evidence: Evidence) -> None:
    """The first attempt was refused, and made the row all the same, which the second one then found."""
    refused, _ = attempts(evidence, "much")
    change_row("much", created_at=refused.sent_at + 0.1)(evidence)
    change_answer("much", 1, replayed=True)(evidence)


def charge_the_refused(evidence: Evidence) -> None:
    add_row("last", key="poor", amount=-9_999, id="new", sequence=99)(evidence)


def charge_the_not_accepted(evidence: Evidence) -> None:
    add_row("last", key="full", amount=-1, id="new", sequence=99)(evidence)


BREAKS: list[tuple[int, str, Break]] = [
    (1, "the row is gone", remove_row("first")),
    (1, "another id", change_answer("first", transaction_id="other")),
    (1, "the id of another key's row", change_row("first", key="chat")),
    (1, "another user's", change_row("first", user="bob")),
    (1, "another sequence", change_answer("first", sequence=77)),
    (1, "another amount told", change_answer("first", amount=-4)),
    (1, "another balance before", change_answer("first", balance_before=1)),
    (1, "another balance after", change_answer("first", balance_after=1)),
    (1, "not completed", change_row("first", status="pending")),
    (1, "of another type", change_row("first", type="adjustment")),
    (1, "not what was asked", all_of(change_row("last", amount=-9), change_answer("last", amount=-9))),
    (1, "a replay is lost", change_answer("first", 1, transaction_id="other")),
    (1, "freezing is forgotten", lambda evidence: evidence.books.keys.clear()),
    (1, "an opening without a bonus is forgotten", change_answer("open", transaction_id=None)),
    (2, "a row of a key that nobody sent", add_row("last", key="nobody's", id="new", sequence=99)),
    (2, "a row of the right key and another amount", change_row("last", amount=-2)),
    (2, "a row of the right key and another type", change_row("last", type="bonus", amount=1)),
    (2, "a use under a key of the ledger's own", change_row("daily:2026-01-02", type="usage", amount=-5)),
    (2, "an answer that nobody asked for", keep_answer("ann", "first")),
    (2, "an answer to nobody", keep_answer("ann", "nobody's")),
    (3, "two rows under one key", add_row("first", id="new", sequence=99)),
    (3, "two rows with one id", add_row("first", key="nobody's", sequence=99)),
    (3, "charged twice", change_account("ann", free=-3)),
    (3, "one credit too many", change_account("bob", balance=1)),
    (3, "no account", remove_account),
    (
        3,
        "more than an unknown use explains",
        all_of(change_answer("last", cls="unknown"), change_account("ann", free=9)),
    ),
    (3, "done twice by its own word", change_answer("first", 1, replayed=False)),
    (3, "one message done twice by its own word", tell_more("first")),
    (3, "opened twice by its own word", change_answer("open again", replayed=False)),
    (4, "a refused key was charged", charge_the_refused),
    (4, "a key that was not accepted was charged", charge_the_not_accepted),
    (4, "a refused key has an answer", keep_answer("ann", "poor")),
    (4, "refused, then acknowledged by a redelivery", tell_more("poor", cls="acknowledged", code=None)),
    (4, "the refused attempt made the row", make_by_a_refused_attempt),
    (5, "another answer the second time", change_answer("first", 1, digest="other")),
    (5, "another answer to a later opening", change_answer("open again", digest="other")),
    (5, "another refusal of the same message", tell_more("poor", digest="other")),
    (5, "a repeat is refused", change_answer("first", 1, cls="refused", code="insufficient_credits")),
    (5, "a repeat is done again", change_answer("first", 1, replayed=False)),
    (5, "a conflict is acknowledged", change_answer("first", 2, cls="acknowledged", code=None, digest=None)),
    (5, "a conflict is refused otherwise", change_answer("first", 2, code="insufficient_credits")),
    (5, "the judge's conflict is acknowledged", change_answer("done unheard", 2, cls="acknowledged", digest=None)),
    (5, "an answer that is no answer", tell_more("poor", cls="unknown", code="unreadable")),
    (5, "an answer to nobody", lambda evidence: evidence.told.add(Outcome(0, "unknown", "stray"))),
    (6, "a gap", change_row("last", sequence=99)),
    (6, "does not begin at 1", change_row("open", sequence=0)),
    (6, "begins with credits", change_row("open", balance_before=1, balance_after=151)),
    (6, "the chain is broken", change_row("last", balance_before=0, balance_after=-1)),
    (6, "the balances are not the amount apart", change_row("last", balance_after=0)),
    (6, "the account counts otherwise", change_account("ann", sequence=99)),
    (6, "done in another order than sent", swap_order),
    (7, "the subscriber missed one", remove_event("seen", "late")),
    (7, "the log missed one", remove_event("log", "late")),
    (7, "the subscriber got one of no row", add_event("seen", "late", sequence=99)),
    (7, "the log got one of no row", add_event("log", "late", sequence=99)),
    (7, "a repeat with another id", add_event("seen", "late", id="other")),
    (7, "with another amount", change_event("seen", "late", amount=-2)),
    (7, "with another transaction", change_event("log", "late", transaction_id="other")),
    (7, "of another type", change_event("seen", "late", type="credits.granted")),
    (7, "out of order at the subscriber", swap_events("seen", "chat", "late")),
    (7, "out of order in the log", swap_events("log", "chat", "late")),
    (7, "sent before its row was there", change_event("seen", "late", visible=False)),
    (8, "the audit complains", lambda evidence: setattr(evidence, "audit", "a gap")),
    (8, "lots are less", change_account("ann", lots=1)),
    (8, "postings are less", change_account("ann", postings=1)),
    (8, "negative", change_account("eve", balance=-1, free=151)),
    (8, "no account", remove_account),
    (9, "confirmed, and purged", purge),
    (9, "confirmed, and neither refused nor done", forget_refused_unheard),
    (9, "a healthy command is dead", lambda evidence: evidence.dead.append(DeadCopy(frozenset({"m3"}), "internal"))),
    (9, "a stranger is dead", lambda evidence: evidence.dead.append(DeadCopy(frozenset({"x"}), "internal"))),
    (9, "poison is not kept", lambda evidence: evidence.dead.clear()),
    (9, "the queues are not empty", lambda evidence: evidence.waiting.update({"credits.commands.3": 1})),
    (10, "a partition is silent", lambda evidence: evidence.probes.update({1: None})),
    (10, "nobody was asked", lambda evidence: evidence.probes.clear()),
]


def test_nothing_is_wrong_with_a_clean_run() -> None:
    assert check(clean_run()) == []


@pytest.mark.parametrize(("equation", "apply"), [pytest.param(n, b, id=f"{n}-{name}") for n, name, b in BREAKS])
def test_a_breach_is_noticed(equation: int, apply: Break) -> None:
    evidence = clean_run()
    apply(evidence)
    assert equation in broken(evidence)


def test_every_equation_is_broken_here() -> None:
    assert {equation for equation, _, _ in BREAKS} == set(range(1, 11))


def test_an_unknown_key_may_have_been_done_or_not() -> None:
    """Without the judge's questions one unknown use has taken its credits and another has not: both may be."""
    evidence = clean_run()
    forget_the_judges_questions(evidence)
    unknown = {key: attempts(evidence, key)[0].n for key in ("done unheard", "never arrived")}
    assert {evidence.told.outcomes[n][-1].cls for n in unknown.values()} == {"unknown"}
    assert unknown.keys() & {row.key for row in evidence.books.rows} == {"done unheard"}
    # Only an answer excuses a confirmed message that leaves no trace, and now nobody knows of one.
    assert {(violation.equation, violation.key) for violation in check(evidence)} == {(9, "misshapen")}


def forget_the_judges_questions(evidence: Evidence) -> None:
    told, last = evidence.told, evidence.told.phases[JUDGING]
    told.attempts = {n: attempt for n, attempt in told.attempts.items() if n <= last}
    told.outcomes = {n: outcomes for n, outcomes in told.outcomes.items() if n <= last}
    told.confirmed = {n for n in told.confirmed if n <= last}
    evidence.books = evidence.quiet
    held = {row.id for row in evidence.books.rows}
    evidence.seen = [event for event in evidence.seen if event.sequence is None or event.id in held]
    evidence.log = [event for event in evidence.log if event.id in held]


def test_what_was_shuffled_on_purpose_may_be_done_in_any_order() -> None:
    evidence = clean_run()
    swap_order(evidence)
    assert [violation for violation in check(evidence) if "sent later" in violation.what]
    evidence.ordered = False
    assert not [violation for violation in check(evidence) if "sent later" in violation.what]


def test_a_breach_names_user_and_key() -> None:
    evidence = clean_run()
    remove_row("first")(evidence)
    assert {("ann", "first")} == {(each.user, each.key) for each in check(evidence) if each.equation == 1}
