"""Goal: what is wrong with an argument is told before anything is sent, as the ledger would tell it; else it fits."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import mana_client
import pytest
from mana_client import InvalidRequest, Mana, NotConnected, Refused
from mana_client.commands import command

from contracts.decoding import Accepted, Envelope, decode
from contracts.errors import LedgerErrorCode
from contracts.permissions import Logins

USER = "0190f2a0-7c1b-7000-8000-000000000001"
URL = "amqp://chat.k3f9x0a2b7c1:secret@127.0.0.1:1/"


def deep(levels: int) -> dict[str, Any]:
    """An object so many levels deep."""
    found: dict[str, Any] = {}
    for _ in range(levels - 1):
        found = {"a": found}
    return found


_WRONG: dict[str, tuple[str, Callable[[Mana], Awaitable[object]]]] = {
    "upper case": ("userId", lambda mana: mana.use(USER.upper(), 1, description="d")),
    "no uuid": ("userId", lambda mana: mana.balance("ada")),
    "newline behind": ("userId", lambda mana: mana.balance(USER + "\n")),
    "zero": ("amount", lambda mana: mana.use(USER, 0, description="d")),
    "negative": ("amount", lambda mana: mana.use(USER, -1, description="d")),
    "too many": ("amount", lambda mana: mana.use(USER, 1_000_000_001, description="d")),
    "a float": ("amount", lambda mana: mana.use(USER, 1.0, description="d")),  # pyright: ignore[reportArgumentType]
    "a bool": ("amount", lambda mana: mana.use(USER, True, description="d")),
    "no correction": ("amount", lambda mana: mana.adjust(USER, 0, description="d", reason="r")),
    "no description": ("description", lambda mana: mana.use(USER, 1, description="")),
    "long description": ("description", lambda mana: mana.use(USER, 1, description="x" * 501)),
    "NUL": ("description", lambda mana: mana.use(USER, 1, description="a\0")),
    "surrogate": ("description", lambda mana: mana.use(USER, 1, description="\ud800")),
    "no app": ("appId", lambda mana: mana.use(USER, 1, description="d", app="a b")),
    "empty key": ("idempotencyKey", lambda mana: mana.use(USER, 1, description="d", key="")),
    "long key": ("idempotencyKey", lambda mana: mana.use(USER, 1, description="d", key="k" * 201)),
    "our key": ("idempotencyKey", lambda mana: mana.use(USER, 1, description="d", key="daily:2026-01-01")),
    "large metadata": ("metadata", lambda mana: mana.use(USER, 1, description="d", metadata={"a": "ü" * 4093})),
    "deep metadata": ("metadata", lambda mana: mana.use(USER, 1, description="d", metadata=deep(101))),
    "NaN": ("metadata", lambda mana: mana.use(USER, 1, description="d", metadata={"a": float("nan")})),
    "NUL in metadata": ("metadata", lambda mana: mana.use(USER, 1, description="d", metadata={"a": ["\0"]})),
    "no JSON": ("metadata", lambda mana: mana.use(USER, 1, description="d", metadata={"a": object()})),
    "local time": ("deadline", lambda mana: mana.use(USER, 1, description="d", deadline=datetime(2026, 1, 1))),  # noqa: DTZ001
    "no usage": ("transactionId", lambda mana: mana.refund(USER, "1")),
    "source": ("source", lambda mana: mana.grant(USER, 1, description="d", source="gift")),  # pyright: ignore[reportArgumentType]
    "no reason": ("reason", lambda mana: mana.adjust(USER, 1, description="d", reason="")),
}


@pytest.fixture
def closed() -> Mana:
    """A client that was never opened: what is sent would raise ``NotConnected``."""
    return Mana(URL)


@pytest.mark.parametrize("case", _WRONG)
async def test_it_is_told_and_nothing_is_sent(closed: Mana, case: str) -> None:
    field, call = _WRONG[case]
    with pytest.raises(InvalidRequest) as caught:
        await call(closed)
    assert [name for name, _ in caught.value.errors] == [field]


_GOOD: dict[str, Callable[[Mana], Awaitable[object]]] = {
    "largest": lambda mana: mana.use(uuid.UUID(USER), 1_000_000_000, description="ü" * 500, key="k" * 200),
    "deepest": lambda mana: mana.use(USER, 1, description="d", metadata=deep(100), deadline=datetime.now(UTC)),
    "longest": lambda mana: mana.use(USER, 1, description="d", metadata={"a": "ü" * 4092}),
    "lowest": lambda mana: mana.adjust(USER, -1_000_000_000, description="d", reason="r"),
}


@pytest.mark.parametrize("case", _GOOD)
async def test_the_bounds_themselves_are_good(closed: Mana, case: str) -> None:
    with pytest.raises(NotConnected):
        await _GOOD[case](closed)


@pytest.mark.parametrize(
    "wrong",
    [{"amqp_url": "http://chat@127.0.0.1/"}, {"amqp_url": URL, "timeout": 0}, {"amqp_url": URL, "timeout": 1e400}],
)
def test_a_client_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Mana(**wrong)


def test_a_queue_is_its_own_position() -> None:
    with pytest.raises(ValueError, match="its own position"):
        Mana(URL).events(queue="chat.credits", start="next")
    with pytest.raises(ValueError, match="name one"):
        Mana(URL).events(topics=["#"])


def test_commands_are_the_contracts() -> None:
    fields = {"amount": 1, "appId": "chat", "description": "\u2028", "metadata": {"n": 1.5, "s": "\\u0000"}}
    made = command("credits.use", USER, "key", datetime(2026, 1, 1, tzinfo=UTC), fields)
    deadline = (made.headers or {})["deadline"]
    envelope = Envelope(routing_key=USER, type=made.type, login="chat", deadline=deadline)
    read = decode(envelope, made.body, Logins(frozenset(), frozenset(), frozenset()))
    assert isinstance(read, Accepted), read
    assert read.deadline == datetime(2026, 1, 1, tzinfo=UTC)


def test_there_is_an_error_for_each_code_of_the_contract() -> None:
    known = {each.code for each in vars(mana_client).values() if isinstance(each, type) and issubclass(each, Refused)}
    assert known - {""} == set(LedgerErrorCode.__args__)
