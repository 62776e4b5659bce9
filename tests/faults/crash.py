"""The crash points made real: ``MANA_CRASH_AT=after_commit:3`` ends the process at its third pass of that point.

``POINT:PASS[:ACTION]``, several with commas between. ``PASS`` counts from 1 in each process; ``*`` is every pass.
``ACTION`` is ``kill`` (SIGKILL, and the default), ``stop`` (SIGSTOP), ``sleep:MILLISECONDS`` (of the whole process: its
event loop stands still) or ``raise``. Each hit is told on standard error first, as a line of JSON.

Only the launchers beside this module put a :class:`Crash` in the place of the shipped no-op.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

WORKER_POINTS: Final = (
    "after_deliver",  # a command has come in; nobody has looked at it
    "after_decode",  # it is read; nothing holds it but the memory of this process
    "before_begin",  # a batch is put together, and the database not asked
    "after_lock",  # partitions and accounts are locked
    "after_insert",  # the ledger's rows are written, the answers without a transaction are not
    "before_commit",  # everything is written
    "after_commit",  # COMMIT is answered; nobody else knows
    "mid_replies",  # of one channel's replies, one has left
    "after_reply",  # one channel's replies have left, their ack has not
    "before_ack",  # the same, and what must be kept is confirmed
    "after_ack",  # one channel's ack has left; no event of the batch has
    "mid_ack",  # one channel is answered and acknowledged, the batch's next one is neither
    "mid_events",  # an event is on its way without a confirm, the partition's next one has not left
    "after_event",  # all of the partition's events that may be on their way are
    "drain_start",  # SIGTERM has come, and nothing is stopped yet
    "handback_before_close",  # what was taken of a partition is answered, its channel is open
)
FRONT_POINTS: Final = (
    "signup_after_commit",  # user and opening are committed; the opening is not sent
    "outbox_before_send",  # a waiting opening goes out before its user's first command
    "outbox_after_send",  # the broker has the command, its row is still there
)
RELAY_POINTS: Final = (
    "outbox_before_send",
    "outbox_after_send",
    "events_before_send",  # a user's event is read; the broker does not have it
    "events_after_send",  # the broker has confirmed it, its row is still there
)
POINTS: Final = frozenset((*WORKER_POINTS, *FRONT_POINTS, *RELAY_POINTS))

SENT: Final = frozenset(
    {"mid_replies", "after_reply", "before_ack", "after_ack", "mid_ack", "mid_events", "after_event"}
)
"""Points that say what has left the process."""


class CrashError(RuntimeError):
    """What ``raise`` raises."""


class SpecificationError(ValueError):
    """A text that names no crash, or no mutant; the message says what is wrong with it."""


@dataclass(frozen=True)
class Rule:
    """What happens at a point: at one pass of it, or at every one (``at`` is ``None``)."""

    point: str
    at: int | None
    action: str
    act: Callable[[], None]


class Crash:
    """Stands in the place of the no-op. ``flushed`` sends what was written, and tells whether all of it has left.

    What is written in one turn of the event loop leaves at its end. A point that speaks of what has left is only
    passed once that is true: where it cannot be made true, the pass does not count.
    """

    def __init__(self, rules: Iterable[Rule], flushed: Callable[[], bool]) -> None:
        self._rules: defaultdict[str, list[Rule]] = defaultdict(list)
        for rule in rules:
            self._rules[rule.point].append(rule)
        self._flushed = flushed
        self._passes: Counter[str] = Counter()

    def __call__(self, point: str) -> None:
        if point not in self._rules or (point in SENT and not self._flushed()):
            return
        self._passes[point] += 1
        for rule in self._rules[point]:
            if rule.at in (None, self._passes[point]):
                _tell(point, self._passes[point], rule.action)
                rule.act()


def parse(text: str) -> list[Rule]:
    """Reads ``MANA_CRASH_AT``. Raises ``SpecificationError``."""
    return [_rule(part.strip()) for part in text.split(",")]


def _rule(text: str) -> Rule:
    point, _, rest = text.partition(":")
    at, _, action = rest.partition(":")
    if point not in POINTS:
        raise SpecificationError(f"{text!r}: there is no crash point {point!r}")
    if at != "*" and not (at.isascii() and at.isdigit() and int(at) > 0):
        raise SpecificationError(f"{text!r}: the pass is a number from 1 on, or *")
    action = action or "kill"
    return Rule(point, None if at == "*" else int(at), action, _act(text, action))


def _act(text: str, action: str) -> Callable[[], None]:
    name, _, milliseconds = action.partition(":")
    if name == "sleep" and milliseconds.isascii() and milliseconds.isdigit():
        return lambda: time.sleep(int(milliseconds) / 1000)
    acts = {"kill": _kill, "stop": _stop, "raise": _raise}
    if action not in acts:
        raise SpecificationError(f"{text!r}: {action!r} is no action: kill, stop, sleep:MILLISECONDS, raise")
    return acts[action]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _raise() -> None:
    raise CrashError("a crash point raises")


def _tell(point: str, number: int, action: str) -> None:
    """At once: what a killed process had in a buffer nobody reads."""
    line = json.dumps({"event": "crash point", "point": point, "pass": number, "action": action})
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{line}\n".encode())
