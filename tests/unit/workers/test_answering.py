"""The event of a refusal that nobody asked to be told of: one id for one message, however often it is delivered.

What an app sends beyond its limits has none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from contracts import dead_letters
from contracts.apps import App
from contracts.decoding import Envelope, Rejected
from contracts.errors import Error
from contracts.events import decode_event
from contracts.permissions import Logins
from contracts.replies import Refused
from contracts.topology import ADMIN_LOGIN, FRONT_LOGIN
from workers.broker.consumer import Delivery
from workers.broker.lenient import HEADERS, read_properties
from workers.intake.answering import Answer, answer, refused
from workers.intake.reading import Item, read

USER = "018f0000-0000-7000-8000-000000000001"
BODY = b'{"userId":"%s","idempotencyKey":"k","amount":1,"appId":"chat","description":"d"}' % USER.encode()
PLAIN: dict[str, Any] = {"correlation_id": "c", "deadline": "2026-01-01T00:00:00Z", "message_id": None}


def _event_id(body: bytes = BODY, *, tag: int = 1, redelivered: bool = False, **properties: Any) -> str:
    told: dict[str, Any] = {"login": "chat", **PLAIN, **properties}
    envelope = Envelope(routing_key=USER, type="credits.use", redelivered=redelivered, **told)
    item = read(Delivery(tag, envelope, body, int(redelivered), None), 0, Logins())
    kept = answer(item, Refused(Error("account_frozen", "frozen")), datetime.now(UTC)).kept
    assert kept is not None
    return decode_event(kept.message.body)["id"]


OTHERS: list[dict[str, Any]] = [
    {"correlation_id": "d"},
    {"correlation_id": None},
    {"deadline": "2026-01-01T00:00:01Z"},
    {"deadline": None},
    {"body": BODY.replace(b'"amount":1', b'"amount":2')},
]


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_without_a_message_id_other_messages_have_other_events(other: dict[str, Any]) -> None:
    assert _event_id(**other) != _event_id()


@pytest.mark.parametrize("message_id", [None, "m"])
def test_a_redelivery_has_the_same_event(message_id: str | None) -> None:
    again = _event_id(tag=2, redelivered=True, message_id=message_id)
    assert again == _event_id(message_id=message_id)


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_a_message_id_stands_for_all_else(other: dict[str, Any]) -> None:
    assert _event_id(message_id="m", **other) == _event_id(message_id="m")
    assert _event_id(message_id="n", **other) != _event_id(message_id="m")


_EXCESS = Error("overloaded", "too many", {"retryAfterSeconds": 1})


@pytest.mark.parametrize(
    ("excess", "error", "redelivered"),
    [
        pytest.param(_EXCESS, _EXCESS, False, id="refused"),
        pytest.param(None, _EXCESS, True, id="and delivered again"),
        pytest.param(_EXCESS, Error("idempotency_conflict", "used"), False, id="beyond the limit, refused for its key"),
    ],
)
def test_beyond_an_apps_limits_there_is_no_event(excess: Error | None, error: Error, redelivered: bool) -> None:
    """Nothing that its acknowledgement must wait for. Who asked for a reply gets it."""
    silent, asking = (_beyond(excess, redelivered=redelivered, reply_to=to) for to in (None, "chat.replies"))
    now = datetime.now(UTC)
    assert answer(silent, Refused(error), now) == Answer()
    told = answer(asking, Refused(error), now)
    assert told.reply is not None
    assert error.code.encode() in told.reply.body
    assert told.kept is None


_FORBIDDEN = Rejected(Error("forbidden", "not yours"), True, None, command="account.open", user_id=USER)


@pytest.mark.parametrize("login", ["mana-front", "mana-relay"])
def test_what_our_own_processes_sent_without_waiting_is_kept_where_it_is_refused(login: str) -> None:
    """As by a worker that knows no such login yet: nobody would send an account's opening again."""
    kept = refused(_without_reply(login), _FORBIDDEN, datetime.now(UTC)).kept
    assert kept is not None
    assert (kept.message.routing_key, kept.message.body, kept.blame) == ("credits.dead", BODY, None)
    assert b"forbidden: not yours" in kept.message.header


def test_what_an_app_sent_without_waiting_is_only_told() -> None:
    kept = refused(_without_reply("chat"), _FORBIDDEN, datetime.now(UTC)).kept
    assert kept is not None
    assert kept.message.exchange == "credits.events"


@pytest.mark.parametrize(
    ("login", "told_as"),
    [
        pytest.param("mallory.k3f9x0a2b7c1", "mallory", id="another app"),
        pytest.param("mallory", "mallory", id="one made by hand"),
        pytest.param(None, None, id="no login is proven"),
        pytest.param("mana-unknown", None, id="no name of an app"),
        pytest.param("x" * 255, None, id="too long for one"),
        pytest.param(ADMIN_LOGIN, "chat", id="an administrator"),
    ],
)
def test_a_refusal_is_told_as_its_senders_whatever_the_body_says(login: str | None, told_as: str | None) -> None:
    """The body's app is ``chat``, and it names no app that the sender could be told by."""
    event, routing_key = _refusal_of(login, type="credits.use" if login != ADMIN_LOGIN else "account.open")
    assert routing_key == f"credits.refused.{told_as or 'system'}"
    assert event["data"]["appId"] == told_as


def test_what_the_front_asks_for_an_app_is_told_as_that_apps() -> None:
    envelope = Envelope(routing_key=USER, type="credits.use", login=FRONT_LOGIN, on_behalf="shop", **PLAIN)
    apps = {"shop": App("shop", frozenset({"credits:use"}))}
    item = read(Delivery(1, envelope, BODY, 0, None), 0, Logins(), apps=apps)
    assert item.rejected is not None
    assert (item.rejected.error.code, item.rejected.app_id, item.sender) == ("app_mismatch", "shop", "shop")


@pytest.mark.parametrize("redelivered", [False, True])
def test_no_app_takes_the_id_of_another_apps_event(redelivered: bool) -> None:
    """Not by the user, key and ``message_id`` of the other's message, nor by a ``message_id`` that names the other."""
    theirs = _refusal_of("chat.k3f9x0a2b7c1", type="account.open", redelivered=redelivered)[0]["id"]
    assert _refusal_of("chat", type="account.open")[0]["id"] == theirs
    for login in ("mallory", None):
        for message_id in ("m", "chat\x1fm", "\x1fchat\x1fm"):
            assert _refusal_of(login, type="account.open", message_id=message_id)[0]["id"] != theirs
    by_the_ledger = _event_id(message_id="m")
    others = BODY.replace(b'"chat"', b'"mallory"')
    assert _event_id(others, message_id="m", login="mallory") != by_the_ledger


def _refusal_of(login: str | None, **properties: Any) -> tuple[dict[str, Any], str]:
    """The event of a message of ``chat``'s body that is refused without the ledger, and its routing key."""
    told: dict[str, Any] = {**PLAIN, "message_id": "m", **properties}
    envelope = Envelope(routing_key=USER, login=login, **told)
    item = read(Delivery(1, envelope, BODY, 0, None), 0, Logins())
    assert item.rejected is not None
    kept = refused(item, item.rejected, datetime.now(UTC)).kept
    assert kept is not None
    return decode_event(kept.message.body), kept.message.routing_key


def _without_reply(login: str) -> Item:
    envelope = Envelope(routing_key=USER, type="account.open", login=login, **PLAIN)
    return read(Delivery(1, envelope, BODY, 0, None), 0, Logins())


def _beyond(excess: Error | None, *, redelivered: bool, reply_to: str | None) -> Item:
    envelope = Envelope(
        routing_key=USER, type="credits.use", login="chat", redelivered=redelivered, reply_to=reply_to, **PLAIN
    )
    item = read(Delivery(1, envelope, BODY, int(redelivered), None), 0, Logins())
    assert item.request is not None
    request = msgspec.structs.replace(item.request, excess=excess)
    return msgspec.structs.replace(item, request=request, beyond_limits=excess is not None)


def _redriven(login: str, reply_to: str) -> tuple[Item, Answer]:
    """A command that its first sender, the mail worker, may not send; its reply is wanted."""
    envelope = Envelope(
        routing_key=USER,
        type="credits.use",
        login=login,
        sender="mana-mail",
        kept_since="2026-01-01T00:00:00+00:00",
        reply_to=reply_to,
    )
    item = read(Delivery(1, envelope, BODY.replace(b'"chat"', b'"mail"'), 0, None), 0, Logins())
    assert item.rejected is not None
    return item, refused(item, item.rejected, datetime.now(UTC))


def test_what_is_redriven_and_refused_is_kept_again_as_its_first_senders() -> None:
    item, told = _redriven("mana-redrive", "mana-mail.replies")
    assert item.delivery.envelope.login == "mana-mail"
    assert told.reply is not None
    assert told.kept is not None
    headers = read_properties(bytes(12) + told.kept.message.header)[0][HEADERS]
    assert headers[dead_letters.LOGIN] == "mana-mail"
    assert headers[dead_letters.KEPT_SINCE] == "2026-01-01T00:00:00+00:00"
    assert headers[dead_letters.KEPT_AT] > headers[dead_letters.KEPT_SINCE]


def test_from_any_other_login_it_says_nothing() -> None:
    item, told = _redriven("chat", "chat.replies")
    assert (item.delivery.envelope.login, item.delivery.envelope.kept_since, told.kept) == ("chat", None, None)


_TWICE: list[tuple[str, dict[str, Any]]] = [("mana-redrive", {"sender": "chat", "kept_since": ""}), ("chat", {})]


def _asking(login: str, **more: Any) -> Item:
    envelope = Envelope(routing_key=USER, type="credits.use", login=login, reply_to="chat.replies", **more)
    return read(Delivery(1, envelope, BODY, 0, None), 0, Logins())


def test_a_redriven_command_that_the_ledger_refuses_is_told_to_its_sender_too() -> None:
    """Its reply goes to whoever redrives, who may have stopped waiting."""
    told, only_answered = (
        answer(_asking(login, **more), Refused(Error("account_frozen", "frozen")), datetime.now(UTC))
        for login, more in _TWICE
    )
    assert told.reply is not None
    assert told.kept is not None
    event = decode_event(told.kept.message.body)
    assert (event["type"], event["subject"], event["data"]["error"]["code"]) == (
        "credits.refused",
        USER,
        "account_frozen",
    )
    assert (only_answered.reply is not None, only_answered.kept) == (True, None)


@pytest.mark.parametrize("sender", ["mana-worker", "mana-admin", "mana-redrive", 5, None])
def test_whom_a_redriving_login_may_not_name_it_does_not_speak_for(sender: object) -> None:
    envelope = Envelope(
        routing_key=USER, type="credits.use", login="mana-redrive", sender=sender, kept_since="", reply_to=None
    )
    rejected = read(Delivery(1, envelope, BODY, 0, None), 0, Logins()).rejected
    assert rejected is not None
    assert rejected.error.code == "forbidden"


def test_a_redriven_command_that_nobody_can_read_is_kept_at_all_costs() -> None:
    envelope = Envelope(routing_key=USER, type="credits.use", login="mana-redrive", sender="chat", kept_since="")
    item = read(Delivery(1, envelope, b"[", 0, None), 0, Logins())
    assert item.rejected is not None
    assert item.rejected.keep
    kept = refused(item, item.rejected, datetime.now(UTC)).kept
    assert kept is not None
    assert (kept.message.routing_key, kept.blame) == ("credits.dead", None)
