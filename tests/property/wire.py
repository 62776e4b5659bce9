"""Messages as clients write them, and answers as they read them, with the service's ids told apart by number."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from contracts.commands import COMMANDS
from contracts.permissions import Actor
from contracts.replies import Origin, Reply, encode_reply
from tests.property.closing import Ledger
from workers.ledger.model import Request

NOBODYS_USAGE = "0190ffff-ffff-7fff-8fff-ffffffffffff"


@dataclass(frozen=True)
class Message:
    """A command as JSON (times still as datetimes) with what the message around it says."""

    body: dict[str, Any] = field(hash=False)
    message: str = ""
    redelivered: bool = False
    deadline: datetime | None = None
    login: str | None = None
    origin: Origin = "app"

    @property
    def user(self) -> str:
        """Whom it is about."""
        return self.body["userId"]


def user_id(number: int) -> str:
    """The id of the test's user with that number."""
    return f"00000000-0000-7000-8000-{number:012d}"


def purchase_id(number: int) -> str:
    """The id of the test's purchase with that number; it comes before every id that a ledger makes."""
    return f"0190e000-0000-7000-8000-{number:012x}"


def request(message: Message, transaction_id: str | None = None) -> Request:
    """The message as the ledger gets it; ``transaction_id`` stands in for the number of a refund's usage."""
    kind = COMMANDS[message.body["type"]]
    body = {name: value for name, value in message.body.items() if name != "type"}
    if transaction_id is not None:
        body["transactionId"] = transaction_id
    return Request(
        command=msgspec.json.decode(msgspec.json.encode(body), type=kind),
        actor=Actor(message.origin, message.login),
        partition=int(message.user[-1]),
        identity=message.message,
        redelivered=message.redelivered,
        deadline=message.deadline,
    )


def transaction_id(ledger: Ledger, user: str, number: object) -> str:
    """The id of the user's transaction with that sequence number; an id that nobody has where there is none."""
    for entry in ledger.entries_of(user):
        if entry.transaction.sequence == number:
            return entry.transaction.id
    return NOBODYS_USAGE


def ask(ledger: Ledger, messages: list[Message], now: datetime) -> list[dict[str, Any]]:
    """Sends the messages as one batch and reads the answers."""
    replies = ledger.apply([_addressed(ledger, one) for one in messages], now)
    return [read(ledger, one.user, reply) for one, reply in zip(messages, replies, strict=True)]


def _addressed(ledger: Ledger, message: Message) -> Request:
    number = message.body.get("transactionId")
    return request(message, None if number is None else transaction_id(ledger, message.user, number))


def read(ledger: Ledger, user: str, reply: Reply) -> dict[str, Any]:
    """The answer as JSON, without what only the service can know (ids, wording of errors)."""
    answer: dict[str, Any] = json.loads(encode_reply(reply))
    if answer.get("transaction"):
        answer["transaction"] = _row(_numbers(ledger, user), user, answer["transaction"])
    if "error" in answer:
        assert answer["error"].pop("message")
        details = answer["error"]["details"]
        if "errors" in details:
            answer["error"]["details"] = [error["field"] for error in details["errors"]]
    return answer


def history(ledger: Ledger, user: str) -> list[tuple[dict[str, Any], list[tuple[str, int]]]]:
    """Every transaction with the lots it touched: a lot is named by the transaction that made it, and its place."""
    names: dict[str, str] = {}
    numbers = _numbers(ledger, user)
    told: list[tuple[dict[str, Any], list[tuple[str, int]]]] = []
    for entry in ledger.entries_of(user):
        for posting in entry.postings:
            names.setdefault(posting.lot_id, f"{entry.transaction.sequence}.{posting.number}")
        row = _row(numbers, user, json.loads(msgspec.json.encode(entry.transaction)))
        if row["type"] == "expiry":
            row["idempotencyKey"] = f"expiry:{names[row['idempotencyKey'].removeprefix('expiry:')]}"
        told.append((row, [(names[posting.lot_id], posting.amount) for posting in entry.postings]))
    return told


def _numbers(ledger: Ledger, user: str) -> dict[str, int]:
    return {entry.transaction.id: entry.transaction.sequence for entry in ledger.entries_of(user)}


def _row(numbers: dict[str, int], user: str, row: dict[str, Any]) -> dict[str, Any]:
    assert row.pop("id") in numbers
    assert row.pop("userId") == user
    assert row.pop("status") == "completed"
    assert row.pop("description")
    assert row.pop("completedAt") == row["createdAt"]
    row["createdAt"] = datetime.fromisoformat(row["createdAt"])
    row["refersTo"] = numbers.get(row["refersTo"])
    return row
