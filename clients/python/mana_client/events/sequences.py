"""What was seen of each user, so that repeats are dropped and gaps are told. Bounded, and pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Literal

from mana_client.events.model import Event, Gap

USERS_MAX: Final = 100_000
IDS_MAX: Final = 100_000
MISSING_MAX: Final = 16
"""Ranges of one user that may still come late; of more, the oldest are forgotten."""

Verdict = Literal["new", "repeat"] | Gap


@dataclass(slots=True)
class _Seen:
    last: int
    missing: list[range] = field(default_factory=list[range])


class Sequences:
    """Of the users and ids that were seen longest ago, nothing is known any more: theirs counts as new."""

    def __init__(self) -> None:
        self._users: OrderedDict[str, _Seen] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()

    def see(self, event: Event) -> Verdict:
        """Whether an event is new, and what is missing before it. From then on it has been seen."""
        if event.sequence is None:
            return self._see_id(event.id)
        seen = self._users.get(event.user_id)
        if seen is None:
            self._users[event.user_id] = _Seen(event.sequence)
            _bound(self._users, USERS_MAX)
            return "new"
        self._users.move_to_end(event.user_id)
        if event.sequence <= seen.last:
            return "new" if _came_late(seen, event.sequence) else "repeat"
        expected, seen.last = seen.last + 1, event.sequence
        if event.sequence == expected:
            return "new"
        seen.missing = [*seen.missing, range(expected, event.sequence)][-MISSING_MAX:]
        return Gap(event.user_id, expected, event.sequence)

    def _see_id(self, id_: str) -> Verdict:
        if id_ in self._ids:
            return "repeat"
        self._ids[id_] = None
        _bound(self._ids, IDS_MAX)
        return "new"


def _came_late(seen: _Seen, sequence: int) -> bool:
    """Whether it was missing; then it is no more."""
    for number, missing in enumerate(seen.missing):
        if sequence in missing:
            parts = (range(missing.start, sequence), range(sequence + 1, missing.stop))
            seen.missing[number : number + 1] = [part for part in parts if part]
            return True
    return False


def _bound(memory: OrderedDict[str, _Seen] | OrderedDict[str, None], most: int) -> None:
    while len(memory) > most:
        memory.popitem(last=False)
