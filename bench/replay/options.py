"""What the command line asks for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError


@dataclass(frozen=True)
class Options:
    """``file`` or ``sample`` is set; both: the sample is written to the file first. ``speed`` is a multiple of the
    trace's own, ``None`` for no limit."""

    file: Path | None
    sample: int | None
    users: int
    speed: float | None


def read_options(arguments: list[str]) -> Options:
    """Reads them. Ends the process with the usage where they cannot be read; raises ``BenchError`` for no trace."""
    parser = argparse.ArgumentParser(prog="mana replay", description="Charge a trace of LLM requests.")
    parser.add_argument("file", nargs="?", type=Path, help="CSV: TIMESTAMP,ContextTokens,GeneratedTokens")
    parser.add_argument("--users", type=_count, default=500, help="users that are opened for it (500)")
    parser.add_argument("--speed", type=_speed, default="max", help="times the trace's own speed, or max (max)")
    parser.add_argument(
        "--sample", type=_count, metavar="N", help="make a trace of N requests; in FILE where it is named"
    )
    read = parser.parse_args(arguments)
    if read.file is None and read.sample is None:
        raise BenchError("Give a trace: a CSV file, or --sample N for one that is made up.")
    return Options(read.file, read.sample, read.users, read.speed)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10000000")
    return int(text)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither max nor a number above 0")
    return speed
