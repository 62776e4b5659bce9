"""Whose a dead letter is, and whether it may be sent again: what is not proven opens nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from api.broker.walk import Kept
from api.operators.dead.asking import asked, fits
from api.operators.dead.copies import copy
from api.operators.dead.letters import Letter, again, read, why_not
from api.operators.dead.showing import Entries, outcome, table
from contracts import dead_letters
from contracts.permissions import Logins

USER = "0190f2a0-7c1b-7000-8000-000000000001"
WORKER = "mana-worker"
USE = {"userId": USER, "amount": 1, "appId": "chat", "description": "d", "idempotencyKey": "k"}
COPIED = {
    dead_letters.REASON: "internal: BatchRejected",
    dead_letters.ROUTING_KEY: USER,
    dead_letters.LOGIN: "chat",
    dead_letters.KEPT_AT: "2027-01-31T12:00:00+00:00",
    dead_letters.KEPT_SINCE: "2027-01-30T12:00:00+00:00",
}
DEATHS = [{"reason": "delivery_limit", "queue": "credits.commands.0", "routing-keys": [USER]}]


def _kept(headers: dict[str, Any], user_id: str | None = WORKER, body: object = USE, **properties: Any) -> Kept:
    known = dict.fromkeys(("reply_to", "correlation_id", "message_id", "content_encoding")) | {"type": "credits.use"}
    told = json.dumps(body).encode()
    return Kept(tag=1, queue="credits.dead", user_id=user_id, headers=headers, body=told, **{**known, **properties})


def _letter(headers: dict[str, Any], user_id: str | None = WORKER, **properties: Any) -> Letter:
    return read(_kept(headers, user_id, **properties), Logins().system)


def _why_not(letter: Letter) -> str | None:
    return why_not(letter, Logins(), {})


def test_a_workers_copy_says_what_the_message_said() -> None:
    letter = _letter(COPIED)
    assert (letter.command, letter.user, letter.app, letter.key) == ("credits.use", USER, "chat", "k")
    assert letter.first is not None
    assert letter.last is not None
    assert letter.first < letter.last
    assert _why_not(letter) is None
    sent = again(letter)
    assert sent.headers == {dead_letters.SENDER_HEADER: "chat", dead_letters.SINCE_HEADER: "2027-01-30T12:00:00+00:00"}


@pytest.mark.parametrize("login", [None, "chat", "mana-front", "mana-redrive", "mana-admin"])
def test_a_copy_that_no_worker_signed_is_left(login: str | None) -> None:
    assert "not proven" in str(_why_not(_letter({**COPIED, dead_letters.LOGIN: WORKER}, login)))


def test_what_the_broker_gave_up_is_its_publishers() -> None:
    letter = _letter({"x-death": DEATHS, dead_letters.LOGIN: WORKER}, "chat")
    assert (letter.envelope.login, letter.envelope.routing_key, _why_not(letter)) == ("chat", USER, None)
    others = _letter({"x-death": DEATHS, dead_letters.LOGIN: "chat"}, "mail")
    assert "another app" in str(_why_not(others))


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({dead_letters.LOGIN: "mail"}, "another app"),
        ({dead_letters.ON_BEHALF: "chat", dead_letters.LOGIN: "mana-front"}, "not registered"),
        ({dead_letters.ROUTING_KEY: "elsewhere"}, "another user"),
        ({dead_letters.CONTENT_ENCODING: "gzip"}, "must not be set"),
        ({dead_letters.DEADLINE: "soon"}, "not a time"),
    ],
)
def test_what_the_message_said_counts_again(told: dict[str, str], why: str) -> None:
    assert why in str(_why_not(_letter({**COPIED, **told})))


@pytest.mark.parametrize("login", ["mana-worker", "mana-admin"])
def test_nobody_sends_again_in_the_name_of_who_does_it_alone(login: str) -> None:
    assert f"{login} sends its own again" in str(_why_not(_letter({**COPIED, dead_letters.LOGIN: login})))


def test_what_its_senders_expiration_ended_says_so() -> None:
    expired = _letter({"x-death": [{**DEATHS[0], "reason": "expired"}]}, "chat")
    assert (expired.reason, expired.expired) == ("the broker gave it up: expired", True)
    limited = _letter({"x-death": DEATHS}, "chat")
    assert (limited.reason, limited.expired) == ("the broker gave it up: delivery_limit", False)
    assert _letter({**COPIED, dead_letters.REASON: "expired"}).expired is False


def _restored(headers: dict[str, Any], user_id: str | None = WORKER) -> Letter:
    """What a letter is after a backup, and its way back by a worker's login."""
    saved = copy(_kept(headers, user_id), Logins().system)
    return _letter({**saved.headers}, WORKER if saved.proven else None)


def test_what_comes_back_from_a_backup_is_the_letter_that_it_was() -> None:
    deaths = [{**DEATHS[0], "reason": "expired", "time": datetime(2027, 1, 31, tzinfo=UTC)}]
    for headers, user_id in (
        (COPIED, WORKER),
        (COPIED, "mana-admin"),
        ({"x-death": deaths, dead_letters.DEADLINE: "2027-02-01T00:00:00Z", "x": b"\xff"}, "chat"),
    ):
        assert _restored(headers, user_id) == _letter(headers, user_id)


def test_without_a_sender_it_is_left() -> None:
    unsent = _letter({name: value for name, value in COPIED.items() if name != dead_letters.LOGIN})
    assert "login" in str(_why_not(unsent))


def test_copies_of_one_message_are_one_entry_from_the_first_to_the_last() -> None:
    entries = Entries()
    for at in ("2027-02-01T12:00:00+00:00", "2027-01-31T12:00:00+00:00"):
        entries.add(_letter({**COPIED, dead_letters.KEPT_AT: at, dead_letters.KEPT_SINCE: at}))
    entries.add(_letter(COPIED, body={**USE, "idempotencyKey": "another"}))
    first, other = entries.all()
    assert (first.copies, other.copies) == (2, 1)
    line = table([first], 0).splitlines()[1].split()
    assert line[1:4] == ["2027-01-31T12:00:00Z", "2027-02-01T12:00:00Z", "2"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--reason", "batchrejected"], True),
        (["--reason", "deadline"], False),
        (["--app", "chat"], True),
        (["--app", "mail"], False),
        (["--user", USER.upper()], True),
        (["--user", "0190f2a0-7c1b-7000-8000-000000000002"], False),
    ],
)
def test_filters(words: list[str], found: bool) -> None:
    assert fits(asked(["redrive", "--all", *words]), _letter(COPIED)) is found


@pytest.mark.parametrize(
    "words",
    [
        ["redrive"],
        ["drop", "--all"],
        ["redrive", "--all", "abcdef12"],
        ["redrive", "abc"],
        ["drop", "abcdef", "--because", " "],
    ],
)
def test_what_cannot_be_meant(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        asked(words)
    assert ended.value.code == 2


def test_outcomes() -> None:
    assert outcome(None) == "is queued; the ledger has not answered yet"
    assert outcome(b"x") == "was answered with what cannot be read"


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("unknown_user", ""),
        ("internal", ": it is kept again"),
        ("forbidden", ": it is kept again"),
        ("invalid_request", ": it may be kept again"),
    ],
)
def test_the_outcome_of_a_refusal_says_what_is_kept_again(code: str, end: str) -> None:
    refused = {"ok": False, "error": {"code": code, "message": "no", "details": {}}}
    assert outcome(json.dumps(refused).encode()) == f"was refused: {code}: no{end}"
