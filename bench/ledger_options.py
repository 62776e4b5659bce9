"""What may be chosen for the ledger's benchmark; the defaults are what the project's goals are stated for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Final

from contracts.topology import PARTITIONS_DEFAULT

GROUPS: Final = ("closed", "skew", "single", "half", "backlog", "workers")


@dataclass(frozen=True)
class Options:
    """``seconds`` are measured for each case of each round, after a second of warming up; backlogs are in commands.

    The echo's may be the smaller one, since its rate is steady: the results tell the rate of its second half by that
    of its first.
    """

    cases: tuple[str, ...]
    rounds: int
    seconds: float
    users: int
    in_flight: int
    backlog: int
    echo_backlog: int
    partitions: int


def read_options(arguments: list[str]) -> Options:
    """Reads them. Ends the process with the usage where they cannot be read."""
    parser = argparse.ArgumentParser(prog="mana bench ledger", description="The whole ledger against a bare echo.")
    parser.add_argument("--cases", default=",".join(GROUPS), help=f"which of {', '.join(GROUPS)} (all)")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement (4)")
    parser.add_argument("--users", type=int, default=10_000, help="accounts that the load falls on (10000)")
    parser.add_argument("--in-flight", type=int, default=512, help="commands under way at a time (512)")
    parser.add_argument("--backlog", type=int, default=200_000, help="commands that wait for the ledger (200000)")
    parser.add_argument("--echo-backlog", type=int, default=25_000, help="commands that wait for the echo (25000)")
    parser.add_argument("--partitions", type=int, default=PARTITIONS_DEFAULT, help=f"({PARTITIONS_DEFAULT})")
    read = parser.parse_args(arguments)
    cases = tuple(read.cases.split(","))
    if unknown := set(cases) - set(GROUPS):
        parser.error(f"there is no group {', '.join(sorted(unknown))}")
    figures = (
        read.rounds,
        read.seconds,
        read.users,
        read.in_flight,
        read.backlog,
        read.echo_backlog,
        read.partitions,
    )
    if min(figures) <= 0:
        parser.error("every figure must be above 0")
    return Options(cases, *figures)
