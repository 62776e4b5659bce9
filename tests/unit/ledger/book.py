"""Reads a book: a table of commands that says line by line what must come of each; and writes the table that did.

A line is ``time | command | answer | paid free earned spent | lots``. An empty time is that of the line before. A
command names its parts in words: ``use 3 draw``, ``grant 20 promotion until=2028-03-01``, ``refund #2 5``,
``adjust -4``; what follows with ``=`` belongs to the message: ``key`` (else the line's own), ``id`` (message_id),
``by`` (an app's login), ``for`` (the user, else ann), ``deadline``; ``again`` is the broker's flag for a redelivery.
Lots stand in the order they were made, used-up ones are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from contracts.commands import COMMANDS
from contracts.permissions import Actor
from contracts.replies import BalanceRead, Refused, Reply, Transaction
from tests.property.closing import books_close
from tests.property.memory import MemoryLedger
from workers.ledger.model import Request

USERS = {
    "ann": "00000000-0000-7000-8000-000000000001",
    "bob": "00000000-0000-7000-8000-000000000002",
    "nobody": "00000000-0000-7000-8000-000000000003",
}
NO_ID = "0190ffff-ffff-7fff-8fff-ffffffffffff"
TYPES = {
    "use": "credits.use",
    "refund": "credits.refund",
    "grant": "credits.grant",
    "adjust": "credits.adjust",
    "balance": "credits.balance",
    "expire": "credits.expire",
    "open": "account.open",
    "freeze": "account.freeze",
    "unfreeze": "account.unfreeze",
}


@dataclass(frozen=True)
class Line:
    """One line as it stands in the book."""

    number: int
    time: datetime
    command: str
    answer: str
    figures: str
    lots: str

    @property
    def result(self) -> str:
        """What the line says that came of the command."""
        return f"{self.command} | {self.answer} | {self.figures} | {self.lots}"


@dataclass(frozen=True)
class Book:
    """A story with its title."""

    title: str
    lines: list[Line] = field(default_factory=list[Line])


def read_books(text: str) -> Iterator[Book]:
    """The books of a file: each begins with ``# title``; lines that begin with ``--`` are remarks."""
    book = Book("")
    for number, raw in enumerate(text.splitlines(), start=1):
        if raw.startswith("# "):
            if book.lines:
                yield book
            book = Book(raw.removeprefix("# ").strip())
        elif raw.strip() and not raw.startswith("--"):
            book.lines.append(_read_line(number, raw, book.lines))
    yield book


def _read_line(number: int, raw: str, before: list[Line]) -> Line:
    time, command, answer, figures, lots = (" ".join(cell.split()) for cell in raw.split("|"))
    return Line(number, _moment(time) if time else before[-1].time, command, answer, figures, lots)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Clerk:
    """Does what the lines say. ``ids`` are transactions' ids by user's name and sequence number."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    ids: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])

    def do(self, lines: list[Line]) -> list[str]:
        """Sends the lines as one batch; the answers, the transactions that came along with each before it."""
        replies = self.ledger.apply([self._request(line) for line in lines], lines[0].time)
        for name, user_id in USERS.items():
            books_close(self.ledger, user_id)
            for entry in self.ledger.entries_of(user_id):
                self.ids[name, entry.transaction.sequence] = entry.transaction.id
        return [_answer(reply) for reply in replies]

    def do_alone(self, line: Line) -> str:
        """Sends one line; the whole line as it came out, with what was posted on the way."""
        answer = self.do([line])[0]
        posted = [_row(entry.transaction) for entry in self.ledger.outcomes[-1].entries]
        said = posted if posted and posted[-1] == answer else [*posted, answer]
        return f"{line.command} | {', '.join(said)} | {self.standing(line)}"

    def standing(self, line: Line) -> str:
        """The line's last two columns as they are now."""
        user_id = USERS[_options(line).get("for", "ann")]
        account = self.ledger.account(user_id)
        lots = [
            f"{lot.kind} {lot.remaining}" + (f" until {_short(lot.expires_at)}" if lot.expires_at else "")
            for lot in self.ledger.lots_of(user_id)
            if lot.remaining
        ]
        if account is None:
            return "none | none"
        figures = (account.balance, account.free_credits_remaining, account.total_earned, account.total_spent)
        return f"{' '.join(map(str, figures))} | {', '.join(lots) or 'none'}"

    def _request(self, line: Line) -> Request:
        options = _options(line)
        words = [word for word in line.command.split() if "=" not in word and word != "again"]
        kind = TYPES[words[0]]
        body = {"userId": USERS[options.get("for", "ann")]} | self._fields(words, options)
        if kind not in ("credits.balance", "credits.expire"):
            body["idempotencyKey"] = options.get("key", f"line-{line.number}")
        return Request(
            command=msgspec.json.decode(msgspec.json.encode(body), type=COMMANDS[kind]),
            actor=Actor("app", options.get("by")),
            partition=0,
            identity=options.get("id", ""),
            redelivered="again" in line.command.split(),
            deadline=_moment(options["deadline"]) if "deadline" in options else None,
        )

    def _fields(self, words: list[str], options: dict[str, str]) -> dict[str, Any]:
        match words:
            case ["use", amount, *app]:
                return {"amount": int(amount), "appId": "".join(app) or "chat", "description": "answer"}
            case ["refund", usage, *amount]:
                return {"transactionId": self._id(usage)} | ({"amount": int(amount[0])} if amount else {})
            case ["grant", amount, source]:
                ends = {"expiresAt": _moment(options["until"])} if "until" in options else {}
                return {"amount": int(amount), "source": source, "description": "gift"} | ends
            case ["adjust", amount]:
                return {"amount": int(amount), "description": "correction", "reason": "error"}
            case ["open", *bare]:
                return {"signupBonus": not bare}
            case ["freeze" | "unfreeze"]:
                return {"reason": "check"}
            case _:
                return {}

    def _id(self, usage: str) -> str:
        found = re.fullmatch(r"(\w*)#(\d+)", usage)
        assert found is not None, usage
        return self.ids.get((found[1] or "ann", int(found[2])), NO_ID)


def _options(line: Line) -> dict[str, str]:
    return dict(word.split("=", 1) for word in line.command.split() if "=" in word)


def _answer(reply: Reply) -> str:
    if isinstance(reply, Refused):
        details = reply.error.details
        if "errors" in details:
            return f"{reply.error.code}: {', '.join(error['field'] for error in details['errors'])}"
        if reply.error.code == "insufficient_credits":
            assert set(details) == {"available", "required"}
            return f"insufficient_credits: {details['available']} of {details['required']}"
        assert details == {}
        return reply.error.code
    if isinstance(reply, BalanceRead):
        return "read"
    said = "done" if reply.transaction is None else _row(reply.transaction)
    return f"replay of {said}" if reply.replayed else said


def _row(transaction: Transaction) -> str:
    daily = " daily" if transaction.idempotency_key.startswith("daily:") else ""
    return f"{transaction.type}{daily} {transaction.amount:+d}"


def _short(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ").removesuffix(" 00:00:00")
