"""The journal is on the disk before it counts, survives its writer, and is read as it was meant."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.faults.oracle.journal import JUDGING, Attempt, Class, Journal, Outcome, Told, read
from tests.faults.oracle.outcomes import class_of, class_of_key, of_operation, of_reply, of_response, unknown_keys


def attempt(journal: Journal, key: str = "k") -> Attempt:
    """The next one."""
    return journal.attempt(user="u", key=key, op="use", amount=1, message_id="m", transport="amqp", body="{}")


async def test_what_is_synced_is_on_the_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "run")
    first = attempt(journal)
    await journal.synced()
    assert read(journal.path).attempts == {1: first}
    journal.outcome(Outcome(1, "acknowledged", at=1.0))
    journal.confirmed(1)
    journal.phase("judging")
    await journal.close()
    told = read(journal.path)
    assert (told.outcomes, told.confirmed) == ({1: [Outcome(1, "acknowledged", at=1.0)]}, {1})
    assert (told.phases, told.users) == ({"judging": 1}, {"u"})


async def test_those_who_wait_go_on_in_their_order(tmp_path: Path) -> None:
    journal, order = Journal(tmp_path / "journal", "run"), list[int]()

    async def one() -> None:
        mine = attempt(journal)
        await journal.synced()
        assert mine.n in read(journal.path).attempts
        order.append(mine.n)

    await asyncio.gather(*(one() for _ in range(200)))
    assert order == sorted(order)
    assert len(order) == 200
    await journal.close()


@pytest.mark.parametrize("torn", [b'{"line":"attempt","n":2', b'{"line":"outcome","n":1}', b"\xff"])
async def test_a_torn_last_line_is_ignored_and_the_journal_continued(tmp_path: Path, torn: bytes) -> None:
    journal = Journal(tmp_path / "journal", "run")
    first = attempt(journal)
    await journal.close()
    with journal.path.open("ab") as file:
        file.write(torn)
    assert read(journal.path).attempts == {1: first}
    continued = Journal(journal.path, "run")
    second = attempt(continued)
    await continued.close()
    assert read(journal.path).attempts == {1: first, 2: second}


async def test_any_other_line_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"nonsense\n")
    with pytest.raises(msgspec.DecodeError):
        read(path)


async def test_a_key_is_unknown_while_one_of_its_attempts_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "run")
    for key in ("silent", "acknowledged", "acknowledged", "refused", "half"):
        attempt(journal, key)
    attempt(journal, "half")
    journal.outcome(Outcome(2, "acknowledged"))
    journal.outcome(Outcome(4, "refused"))
    journal.outcome(Outcome(5, "refused"))
    journal.outcome(Outcome(6, "unknown", "timeout"))
    await journal.close()
    assert unknown_keys(read(journal.path)) == [("u", "silent"), ("u", "half")]


def test_the_strongest_class_counts() -> None:
    assert class_of([]) == "unknown"
    assert class_of([Outcome(1, "unknown"), Outcome(1, "refused")]) == "refused"
    assert class_of([Outcome(1, "acknowledged"), Outcome(1, "refused")]) == "acknowledged"


@pytest.mark.parametrize(
    ("attempts", "judged_from", "cls"),
    [
        (["refused", "unknown", "not_accepted"], None, "unknown"),
        (["refused", "unknown", "acknowledged"], None, "acknowledged"),
        (["not_accepted", "refused"], None, "refused"),
        (["not_accepted"], None, "not_accepted"),
        ([], None, "not_accepted"),
        (["unknown", "refused"], 3, "unknown"),
        (["unknown", "refused"], 2, "refused"),
        (["unknown", "idempotency_conflict"], 2, "unknown"),
        (["unknown", "refused", "unknown"], 2, "unknown"),
        (["unknown", "unknown", "refused"], 2, "refused"),
        (["acknowledged", "refused"], 2, "acknowledged"),
    ],
)
def test_the_class_of_a_key(attempts: list[Any], judged_from: int | None, cls: Class) -> None:
    told = Told(phases={} if judged_from is None else {JUDGING: judged_from - 1})
    for n, answer in enumerate(attempts, start=1):
        conflict = answer == "idempotency_conflict"
        told.add(Outcome(n, "refused" if conflict else answer, answer if conflict else None))
    assert class_of_key(told, range(1, len(attempts) + 1)) == cls


DONE = (
    b'{"ok":true,"replayed":%s,"transaction":{"id":"t","amount":-3,"sequence":2,"balanceBefore":9,"balanceAfter":6},'
    b'"balance":{"balance":%d}}'
)


def test_what_a_reply_says() -> None:
    outcome = of_reply(7, DONE % (b"false", 6))
    assert (outcome.n, outcome.cls, outcome.transaction_id, outcome.sequence) == (7, "acknowledged", "t", 2)
    assert (outcome.amount, outcome.balance_before, outcome.balance_after, outcome.replayed) == (-3, 9, 6, False)
    replay = of_reply(8, DONE % (b"true", 6))
    assert (replay.replayed, replay.digest) == (True, outcome.digest)
    assert of_reply(9, DONE % (b"true", 5)).digest != outcome.digest
    over_rest = of_response(10, 200, (DONE % (b"true", 6)).replace(b'"ok":true,', b""))
    assert over_rest.digest == outcome.digest


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("insufficient_credits", "refused"),
        ("account_frozen", "refused"),
        ("deadline_exceeded", "refused"),
        ("internal", "unknown"),
        ("something_new", "unknown"),
    ],
)
def test_what_a_refusal_says(code: str, cls: str) -> None:
    outcome = of_reply(1, b'{"ok":false,"error":{"code":"%s","message":"no","details":{}}}' % code.encode())
    assert (outcome.cls, outcome.code) == (cls, code)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"ok":true,"transaction":{}}', b'{"ok":false}', b"\xff"])
def test_what_is_no_reply_is_unknown(body: bytes) -> None:
    outcome = of_reply(1, body)
    assert (outcome.cls, outcome.code) == ("unknown", "unreadable")


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        (202, b"{}", "unknown"),
        (402, b'{"code":"insufficient_credits"}', "refused"),
        (409, b'{"code":"idempotency_conflict"}', "refused"),
        (504, b'{"code":"deadline_exceeded"}', "refused"),
        (503, b'{"code":"overloaded"}', "not_accepted"),
        (429, b'{"code":"rate_limited"}', "not_accepted"),
        (500, b'{"code":"internal"}', "unknown"),
        (502, b"<html>", "unknown"),
        (200, b"<html>", "unknown"),
    ],
)
def test_what_a_response_says(status: int, body: bytes, cls: str) -> None:
    assert of_response(1, status, body).cls == cls


def test_what_an_operation_says() -> None:
    completed = (DONE % (b"true", 6)).replace(b'"ok":true,"replayed":true', b'"status":"completed"')
    outcome = of_operation(1, completed)
    assert (outcome.cls, outcome.transaction_id, outcome.replayed, outcome.digest) == ("acknowledged", "t", None, None)
    assert of_operation(1, b'{"status":"refused","error":{"code":"unknown_user"}}').cls == "refused"
