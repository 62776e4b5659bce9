"""From single measurements to rows and conclusions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bench.course import Measured
from bench.results import Row, Spread

GOAL: Final = 0.70
"""Share of the echo's commands per second that the whole ledger should answer."""

QUIET_CORES: Final = 0.3
"""Cores that others may use before rates are no longer worth comparing."""


@dataclass(frozen=True)
class Round:
    """One case, measured once: CPU seconds of each part meanwhile, cores that were busy with something else, and the
    commands in a batch where known."""

    case: str
    measured: Measured
    cpu: dict[str, float]
    elsewhere: float
    batch: float | None


def to_rows(rounds: list[Round]) -> list[Row]:
    """A row for each case, in the order in which they were measured."""
    return [_row(name, [each for each in rounds if each.case == name]) for name in _cases(rounds)]


def conclude(rounds: list[Round]) -> dict[str, Any]:
    """The ratios that the goals are about, of medians, and whether the machine was ours while they were measured."""
    rows = {row.name: row for row in to_rows(rounds)}
    rate = {name: row.per_second.median for name, row in rows.items()}
    share, skew = rate["ledger"] / rate["echo"], rate["ledger, skewed"] / rate["ledger"]
    elsewhere = max(row.elsewhere_cores.median for row in rows.values())
    return {
        "ledger / echo": round(share, 3),
        "goal": f"at least {GOAL}: {'reached' if share >= GOAL else 'missed'}",
        "ledger / echo, by CPU time": round(_cpu(rows["echo"]) / _cpu(rows["ledger"]), 3),
        "ledger / echo, our frames": round(rate["ledger"] / rate["echo, our frames"], 3),
        "skewed / uniform": round(skew, 3),
        "goal of skew": f"at least 1: {'reached' if skew >= 1 else 'missed'}",
        "disturbed": f"up to {elsewhere:.2g} cores were busy elsewhere"
        + (": measure again on a quiet machine" if elsewhere > QUIET_CORES else ""),
    }


def _cpu(row: Row) -> float:
    """All CPU time for a command: its inverse bounds the rate of a machine whose cores are all busy with it."""
    return sum(part.median for part in row.cpu_us.values())


def _cases(rounds: list[Round]) -> list[str]:
    return list(dict.fromkeys(each.case for each in rounds))


def _row(name: str, rounds: list[Round]) -> Row:
    batches = [each.batch for each in rounds if each.batch is not None]
    return Row(
        name=name,
        per_second=Spread.of([each.measured.per_second for each in rounds]),
        p50_ms=Spread.of([each.measured.p50 for each in rounds]),
        p99_ms=Spread.of([each.measured.p99 for each in rounds]),
        cpu_us={part: Spread.of([_per_command(each, part) for each in rounds]) for part in rounds[0].cpu},
        elsewhere_cores=Spread.of([each.elsewhere for each in rounds]),
        batch=Spread.of(batches) if batches else None,
    )


def _per_command(round_: Round, part: str) -> float:
    return 1e6 * round_.cpu[part] / round_.measured.commands
