"""What the equations are checked on, and what a breach is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from tests.faults.oracle.books import Books
from tests.faults.oracle.dead import DeadCopy
from tests.faults.oracle.events import Event
from tests.faults.oracle.journal import Told


class Violation(Struct, frozen=True):
    """A breach of an equation; ``user`` and ``key`` are empty where it concerns none in particular.

    ``kind`` tells breaches of one equation apart where they are counted apart.
    """

    equation: int
    user: str
    key: str
    what: str
    kind: Literal["", "missing", "out of order"] = ""


@dataclass
class Evidence:
    """All that is known of a run when everything has come to rest."""

    told: Told
    quiet: Books
    """As the ledger was before the judge asked anything."""
    books: Books
    """As it is at the end."""
    seen: list[Event]
    log: list[Event]
    dead: list[DeadCopy] = field(default_factory=list[DeadCopy])
    expected_dead: frozenset[str] = frozenset()
    """Names (``DeadCopy.names``) of what the scenario has put into ``credits.dead``, one for each message."""
    dead_again: bool = False
    """Whether one of these may lie there more than once: a worker was killed, or cut off, between copy and ack."""
    audit: str | None = None
    """What ``mana verify`` said where it was not content."""
    waiting: dict[str, int] = field(default_factory=dict[str, int])
    """Commands that lie in the queues still, by queue, where these do not come to rest."""
    probes: dict[int, float | None] = field(default_factory=dict[int, float | None])
    """Seconds until each partition answered in time again; ``None`` where it did not."""
    ordered: bool = True
    """Whether messages reached the queues in the order sent: not where the scenario shuffles them."""
