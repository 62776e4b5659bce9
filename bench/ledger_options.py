"""What may be chosen for the ledger's benchmark; the defaults are what the project's goals are stated for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from contracts.topology import PARTITIONS_DEFAULT


@dataclass(frozen=True)
class Options:
    """``seconds`` are measured for each case of each round, after a second of warming up."""

    rounds: int
    seconds: float
    users: int
    in_flight: int
    partitions: int


def read_options(arguments: list[str]) -> Options:
    """Reads them. Ends the process with the usage where they cannot be read."""
    parser = argparse.ArgumentParser(prog="mana bench ledger", description="The whole ledger against a bare echo.")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement (4)")
    parser.add_argument("--users", type=int, default=10_000, help="accounts that the load falls on (10000)")
    parser.add_argument("--in-flight", type=int, default=512, help="commands under way at a time (512)")
    parser.add_argument("--partitions", type=int, default=PARTITIONS_DEFAULT, help=f"({PARTITIONS_DEFAULT})")
    read = parser.parse_args(arguments)
    if min(read.rounds, read.seconds, read.users, read.in_flight, read.partitions) <= 0:
        parser.error("every figure must be above 0")
    return Options(read.rounds, read.seconds, read.users, read.in_flight, read.partitions)
