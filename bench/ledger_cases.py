"""What `bench ledger` measures in each round, in this order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.backlog import Backlog
from bench.ledger_options import Options
from bench.load import ClosedLoop, Load, Pace
from bench.open_loop import SteadyLoad
from bench.populations import one, skewed, uniform
from bench.processes import FRAMES_ECHO, echo
from bench.uses import Uses
from ops.program import Program

ECHO: Final = "echo"
FRAMES: Final = "echo, our frames"
LEDGER: Final = "ledger"
SKEWED: Final = "ledger, skewed"
ONE_USER: Final = "ledger, one user"
ECHO_ONE_IN_FLIGHT: Final = "echo, one in flight"
LEDGER_ONE_IN_FLIGHT: Final = "ledger, one in flight"
HALF: Final = "ledger, half load"
ECHO_BACKLOG: Final = "echo, backlog"
LEDGER_BACKLOG: Final = "ledger, backlog"
TWO_WORKERS: Final = "two workers, backlog"

OF_GROUP: Final[dict[str, frozenset[str]]] = {
    "closed": frozenset({ECHO, FRAMES, LEDGER}),
    "skew": frozenset({LEDGER, SKEWED, ONE_USER}),
    "single": frozenset({ECHO_ONE_IN_FLIGHT, LEDGER_ONE_IN_FLIGHT}),
    "half": frozenset({LEDGER, HALF}),
    "backlog": frozenset({ECHO_BACKLOG, LEDGER_BACKLOG}),
    "workers": frozenset({LEDGER_BACKLOG, TWO_WORKERS}),
}
"""What must be measured for each group of goals."""

Population = Callable[[list[bytes]], Iterator[bytes]]


@dataclass(frozen=True)
class Case:
    """One thing that is measured in each round: the processes, and what is put on them."""

    name: str
    programs: Sequence[Program]
    load: Load


class Cases:
    """Makes the cases of a round. ``rate_of`` tells what a case of this round has come to, in commands per second."""

    def __init__(self, options: Options, users: list[str], workers: Sequence[Program], run: str) -> None:
        self._options = options
        self._users = [user.encode() for user in users]
        self._worker, self._second = workers
        self._run = run
        self._wanted = frozenset[str]().union(*(OF_GROUP[group] for group in options.cases))

    def of_round(self, number: int, rate_of: Callable[[str], float]) -> Iterator[Case]:
        """Each is made when it is its turn: a later one may depend on what an earlier one came to."""
        worker, two = [self._worker], [self._worker, self._second]
        bare, framed = [echo(self._worker)], [echo(self._worker, FRAMES_ECHO)]
        many, single = self._options.in_flight, 1
        makers: dict[str, tuple[Sequence[Program], Callable[[Uses], Load], Population]] = {
            ECHO: (bare, self._closed(many), uniform),
            FRAMES: (framed, self._closed(many), uniform),
            LEDGER: (worker, self._closed(many), uniform),
            SKEWED: (worker, self._closed(many), skewed),
            ONE_USER: (worker, self._closed(many), one),
            ECHO_ONE_IN_FLIGHT: (bare, self._closed(single), uniform),
            LEDGER_ONE_IN_FLIGHT: (worker, self._closed(single), uniform),
            HALF: (worker, lambda uses: SteadyLoad(uses, rate_of(LEDGER) / 2, self._options.seconds), uniform),
            ECHO_BACKLOG: (bare, lambda uses: Backlog(uses, self._options.echo_backlog), uniform),
            LEDGER_BACKLOG: (worker, lambda uses: Backlog(uses, self._options.backlog), uniform),
            TWO_WORKERS: (two, lambda uses: Backlog(uses, self._options.backlog), uniform),
        }
        for position, (name, (programs, load, population)) in enumerate(makers.items()):
            if name in self._wanted:
                uses = Uses(population(self._users), f"{self._run}-{number}-{position}")
                yield Case(name, programs, load(uses))

    def _closed(self, in_flight: int) -> Callable[[Uses], Load]:
        return lambda uses: ClosedLoop(uses, Pace(in_flight, self._options.seconds))
