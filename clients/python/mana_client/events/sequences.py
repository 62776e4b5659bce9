"""What was seen of each user, so that repeats are dropped and gaps are told. Bounded, and pure.

What is not known to have been seen is new: somebody else may have been given it, or nobody, but not the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Literal

from mana_client.events.model import Event, Gap

USERS_MAX: Final = 100_000
IDS_MAX: Final = 100_000
RANGES_MAX: Final = 16
"""Runs of one user's sequences without a gap; of more, the lowest are forgotten."""

Verdict = Literal["new", "repeat"] | Gap


class Sequences:
    """Of the users and ids that were seen longest ago, nothing is known any more: theirs counts as new."""

    def __init__(self) -> None:
        # Of each user, runs of sequences that were seen: ascending, with a gap between any two.
        self._users: OrderedDict[str, list[range]] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()

    def see(self, event: Event) -> Verdict:
        """Whether an event is new, and what is missing before it. From then on it has been seen."""
        if event.sequence is None:
            return self._see_id(event.id)
        runs = self._users.setdefault(event.user_id, [])
        self._users.move_to_end(event.user_id)
        _bound(self._users, USERS_MAX)
        expected = runs[-1].stop if runs else event.sequence
        if any(event.sequence in run for run in runs):
            return "repeat"
        self._users[event.user_id] = _with(runs, event.sequence)[-RANGES_MAX:]
        return Gap(event.user_id, expected, event.sequence) if event.sequence > expected else "new"

    def _see_id(self, id_: str) -> Verdict:
        if id_ in self._ids:
            return "repeat"
        self._ids[id_] = None
        _bound(self._ids, IDS_MAX)
        return "new"


def _with(runs: list[range], sequence: int) -> list[range]:
    """The runs and one more sequence, which was in none of them."""
    below = [run for run in runs if run.stop < sequence]
    above = [run for run in runs if run.start > sequence + 1]
    beside = runs[len(below) : len(runs) - len(above)]
    start = min([sequence, *(run.start for run in beside)])
    stop = max([sequence + 1, *(run.stop for run in beside)])
    return [*below, range(start, stop), *above]


def _bound(memory: OrderedDict[str, list[range]] | OrderedDict[str, None], most: int) -> None:
    while len(memory) > most:
        memory.popitem(last=False)
