"""Dead letters, as an operator reads them. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UnsetType

from api.operators.dead.letters import Letter
from api.text import printable
from contracts.replies import ReplyView

_HEAD: Final = ("ID", "FIRST", "LAST", "COPIES", "COMMAND", "APP", "USER", "SENT BY", "REASON")
_REASON_MAX: Final = 80
_BODY_MAX: Final = 65_536
_KEPT: Final = {
    "internal": ": it is kept again",
    "forbidden": ": it is kept again",
    "invalid_request": ": it may be kept again",
    "app_mismatch": ": it may be kept again",
}
"""What is refused without the ledger is kept, and what the ledger refuses is not; both may say the last two."""


@dataclass(frozen=True)
class Entry:
    """All copies of one message."""

    letter: Letter
    copies: int


class Entries:
    """Letters with one id together, in the order in which the first of each came."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, letter: Letter) -> None:
        """One more copy."""
        known = self._entries.get(letter.id)
        if known is None:
            self._entries[letter.id] = Entry(letter, 1)
            return
        first = min(filter(None, (known.letter.first, letter.first)), default=None)
        last = max(filter(None, (known.letter.last, letter.last)), default=None)
        self._entries[letter.id] = Entry(replace(letter, first=first, last=last), known.copies + 1)

    def all(self) -> list[Entry]:
        """All of them."""
        return list(self._entries.values())


def table(entries: Sequence[Entry], more: int) -> str:
    """A line for each; ``more`` letters were not looked for."""
    if not entries:
        return "There are no such letters.\n"
    rows = [
        (
            entry.letter.id,
            _time(entry.letter.first),
            _time(entry.letter.last),
            str(entry.copies),
            printable(entry.letter.command, 40),
            printable(entry.letter.app or "-", 64),
            entry.letter.user or "-",
            printable(entry.letter.envelope.login or "-", 80),
            printable(entry.letter.reason, _REASON_MAX),
        )
        for entry in entries
    ]
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (_HEAD, *rows)]
    if more:
        lines.append(f"and {more} more messages: --limit shows more of them.")
    return "\n".join(lines) + "\n"


def whole(entry: Entry, why_not: str | None) -> str:
    """All about one letter, and whether it can be sent again."""
    letter, envelope = entry.letter, entry.letter.envelope
    told = [
        ("id", letter.id),
        ("kept because", printable(letter.reason, 500)),
        ("first", _time(letter.first)),
        ("last", _time(letter.last)),
        ("copies", str(entry.copies)),
        ("command", printable(letter.command)),
        ("user", letter.user or "unknown"),
        ("routing key", printable(envelope.routing_key) or "none"),
        ("sent by", printable(envelope.login or "nobody who proved it")),
        ("for app", printable(letter.app or "none")),
        ("message id", printable(envelope.message_id or "none")),
        ("deadline", printable(str(envelope.deadline or "none"))),
        ("idempotency key", printable(letter.key or "none")),
        ("redrive", "possible" if why_not is None else f"not possible: {printable(why_not, 500)}"),
    ]
    width = max(len(name) for name, _ in told)
    lines = [f"{name.ljust(width)}  {value}" for name, value in told]
    return "\n".join([*lines, "", _body(letter)]) + "\n"


def outcome(reply: bytes | None) -> str:
    """What the ledger said to a letter that was sent again."""
    if reply is None:
        return "is queued; the ledger has not answered yet"
    try:
        told = msgspec.json.decode(reply, type=ReplyView)
    except msgspec.DecodeError:
        return "was answered with what cannot be read"
    if not isinstance(told.error, UnsetType):
        return f"was refused: {told.error.code}: {printable(told.error.message)}{_KEPT.get(told.error.code, '')}"
    return "had been done before: nothing was done now" if told.replayed else "is done"


def _body(letter: Letter) -> str:
    if letter.fields:
        return json.dumps(letter.fields, indent=2, ensure_ascii=True)
    shown = letter.body[:_BODY_MAX]
    return f"{len(letter.body)} bytes that are no command: {shown!r}"


def _time(moment: datetime | None) -> str:
    return "unknown" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
