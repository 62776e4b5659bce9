"""What a client did and was told, on disk before it counts: one JSON line each, appended, never changed.

An attempt is on the disk before it is sent, an outcome before anybody uses it. The client may be killed at any moment:
what it wrote stays valid, but for a last line that is torn.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

JUDGING: Final = "judging"
"""The phase in which the judge itself asks: what was sent before has come to rest by then."""

Class = Literal["acknowledged", "refused", "not_accepted", "unknown"]


class Attempt(Struct, frozen=True, tag="attempt", tag_field="line"):
    """One sending of a command: ``n`` counts a journal's attempts, ``amount`` is as asked, ``body`` what was sent.

    ``transport``: which connection, ``amqp…`` or ``rest``; one that is alike keeps its order. ``sent_at`` in seconds
    since 1970, taken when it was written down, so before it was sent.
    """

    run: str
    n: int
    user: str
    key: str
    op: str
    amount: int | None
    message_id: str
    transport: str
    sent_at: float
    body: str


class Outcome(Struct, frozen=True, tag="outcome", tag_field="line"):
    """What an attempt was told; it may be told several times. Figures are those of the transaction in the reply.

    ``digest`` is of the reply's JSON but for ``ok`` and ``replayed``; ``None`` where nothing is promised byte for byte.
    """

    n: int
    cls: Class
    code: str | None = None
    transaction_id: str | None = None
    sequence: int | None = None
    amount: int | None = None
    balance_before: int | None = None
    balance_after: int | None = None
    replayed: bool | None = None
    digest: str | None = None
    at: float = 0.0


class Confirmed(Struct, frozen=True, tag="confirmed", tag_field="line"):
    """The broker has an attempt's message, and is answerable for it from now on."""

    n: int
    at: float


class Phase(Struct, frozen=True, tag="phase", tag_field="line"):
    """From here on the journal's lines belong to another part of the run, such as the judge's own questions."""

    name: str
    at: float


Line = Attempt | Outcome | Confirmed | Phase
_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)


@dataclass
class Told:
    """A journal, read. ``outcomes`` holds those of an attempt in the order in which they came."""

    attempts: dict[int, Attempt] = field(default_factory=dict[int, Attempt])
    outcomes: dict[int, list[Outcome]] = field(default_factory=dict[int, list[Outcome]])
    confirmed: set[int] = field(default_factory=set[int])
    phases: dict[str, int] = field(default_factory=dict[str, int])
    """By name: the last ``n`` before it began."""

    @property
    def users(self) -> set[str]:
        """Whom it is about."""
        return {attempt.user for attempt in self.attempts.values()}

    @property
    def before_judging(self) -> int:
        """The last ``n`` before the judge's own attempts; of all, where there was no judge."""
        return self.phases[JUDGING] if JUDGING in self.phases else max(self.attempts, default=0)

    def add(self, line: Line) -> None:
        """Takes in one more line."""
        match line:
            case Attempt():
                self.attempts[line.n] = line
            case Outcome():
                self.outcomes.setdefault(line.n, []).append(line)
            case Confirmed():
                self.confirmed.add(line.n)
            case Phase():
                self.phases[line.name] = max(self.attempts, default=0)


class Journal:
    """Appends; a journal that exists already is continued, its attempts numbered on."""

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.run = run
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        _cut_torn_line(self._file)
        self._last = max(read(path).attempts, default=0)
        self._transports: Counter[str] = Counter()
        self._lines: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._writing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Writes what is left, durably."""
        await self.synced()
        os.close(self._file)

    def new_transport(self, kind: str) -> str:
        """A name for one more connection of this kind."""
        self._transports[kind] += 1
        number = self._transports[kind]
        return kind if number == 1 else f"{kind}:{number}"

    def attempt(
        self, *, user: str, key: str, op: str, amount: int | None, message_id: str, transport: str, body: str
    ) -> Attempt:
        """Notes an attempt that is about to be sent; it may be sent once it is ``synced``."""
        self._last += 1
        attempt = Attempt(self.run, self._last, user, key, op, amount, message_id, transport, time.time(), body)
        self._append(attempt)
        return attempt

    def outcome(self, outcome: Outcome) -> None:
        """Notes what an attempt was told; it may be used once it is ``synced``."""
        self._append(outcome)

    def confirmed(self, n: int) -> None:
        """Notes that the broker has made the message safe."""
        self._append(Confirmed(n, time.time()))

    def phase(self, name: str) -> None:
        """Notes that another part of the run begins."""
        self._append(Phase(name, time.time()))

    async def synced(self) -> None:
        """Returns once all lines so far are on the disk. Those who wait return in the order in which they came."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_on())
        await future

    def _append(self, line: Line) -> None:
        self._lines.append(_encoder.encode(line))

    def _take(self) -> bytes:
        lines, self._lines = self._lines, []
        return b"".join(line + b"\n" for line in lines)

    async def _write_on(self) -> None:
        """One write and one fdatasync for all that came while the last ones were under way."""
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._write, self._take())
            except OSError as error:
                _tell(waiting, error)
            else:
                _tell(waiting, None)
        self._writing = None

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]
        os.fdatasync(self._file)


def read(path: Path) -> Told:
    """All that a journal holds, less a torn last line. Raises ``msgspec.DecodeError`` for any other that is no line."""
    told = Told()
    lines = path.read_bytes().split(b"\n")
    for line in lines[:-1]:  # behind the last newline stands nothing, or what was torn
        told.add(_decoder.decode(line))
    return told


def _tell(waiting: list[asyncio.Future[None]], error: OSError | None) -> None:
    for future in waiting:
        if future.done():
            continue  # who waited has given up
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _cut_torn_line(file: int) -> None:
    size = os.fstat(file).st_size
    tail = os.pread(file, size, 0)
    os.ftruncate(file, tail.rfind(b"\n") + 1)
