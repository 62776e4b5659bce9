"""Commands as a load sends them, and what a run of them counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bench.errors import BenchError
from contracts.replies import Balance, ReplyView

APP: Final = "bench"


@dataclass(slots=True)
class Call:
    """One command: its number is unique in its run; ``due`` is in seconds after the run's start."""

    number: int
    type: str
    user: str
    body: bytes
    due: float = 0.0
    tries: int = 0
    sent_at: float = 0.0


@dataclass
class Sendings:
    """What it took to have every command answered."""

    published: int = 0
    overloaded: int = 0
    """Publishes that the broker did not take (nacked), sent again with the same key."""
    unanswered: int = 0
    """Publishes whose reply did not come in time or went down with a connection, sent again with the same key."""
    late: int = field(default=0)
    """Replies to commands that were answered already, or that had been sent again since."""


def balance_of(call: Call, reply: ReplyView) -> Balance:
    """The balance in a reply. Raises ``BenchError`` where the command was refused instead."""
    if reply.ok and reply.balance is not None:
        return reply.balance
    reason = "without a balance" if reply.ok else f"{reply.error}"
    raise BenchError(f"{call.type} for the user {call.user} was answered {reason}.")
