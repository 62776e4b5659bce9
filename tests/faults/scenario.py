"""What a scenario is: a numbered fault of the plan, with how long the service may take to be itself again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from tests.faults.stage import Stage

Scale = Literal["fast", "usual", "nightly"]
"""``fast``: some seconds, for each commit. ``usual``: what the table is made of. ``nightly``: the sizes of the plan."""


class NotPlayedError(Exception):
    """A scenario cannot be played on this machine; the message says what is missing. It has not passed."""


Play = Callable[["Stage"], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """One line of the plan. ``recovers`` is in seconds from a fault's end to a probe's answer from every partition.

    ``postgres_disk``: MiB of a disk of PostgreSQL's own, where the scenario needs one. ``repeated``: the part of all
    keys that the judge asks again. ``archived``: PostgreSQL archives its WAL.
    """

    id: str
    title: str
    play: Play
    recovers: float
    partitions: int
    fast: bool
    postgres_disk: int | None
    repeated: float = 0.05
    archived: bool = False


REGISTRY: Final[dict[str, Scenario]] = {}


def scenario(
    id_: str,
    title: str,
    *,
    recovers: float = 5.0,
    partitions: int = 8,
    fast: bool = False,
    postgres_disk: int | None = None,
    repeated: float = 0.05,
    archived: bool = False,
) -> Callable[[Play], Play]:
    """Registers an async function as the scenario ``id_``.

    ``fast``: also part of ``./mana test``.
    """

    def register(play: Play) -> Play:
        if id_ in REGISTRY:
            raise ValueError(f"two scenarios are called {id_}")
        REGISTRY[id_] = Scenario(id_, title, play, recovers, partitions, fast, postgres_disk, repeated, archived)
        return play

    return register
