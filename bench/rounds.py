"""From single measurements to rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.course import Measured
from bench.results import Row, Spread


@dataclass(frozen=True)
class Round:
    """One case, measured once: CPU seconds of each part meanwhile, cores that were busy with something else; the
    commands in a batch, the peak memory of the largest worker in 10^6 bytes, and the events that were not confirmed
    when the last answer came, as a share of all commands, where known."""

    case: str
    measured: Measured
    cpu: dict[str, float]
    elsewhere: float
    batch: float | None
    peak_mb: float | None = None
    events_behind: float | None = None


def to_rows(rounds: list[Round]) -> list[Row]:
    """A row for each case, in the order in which they were measured."""
    return [_row(name, [each for each in rounds if each.case == name]) for name in _cases(rounds)]


def _cases(rounds: list[Round]) -> list[str]:
    return list(dict.fromkeys(each.case for each in rounds))


def _row(name: str, rounds: list[Round]) -> Row:
    def known(figure: Callable[[Round], float | None]) -> Spread | None:
        return _spread(figure(each) for each in rounds)

    return Row(
        name=name,
        per_second=Spread.of([each.measured.per_second for each in rounds]),
        p50_ms=known(lambda each: each.measured.p50),
        p99_ms=known(lambda each: each.measured.p99),
        cpu_us={part: Spread.of([_per_command(each, part) for each in rounds]) for part in rounds[0].cpu},
        elsewhere_cores=Spread.of([each.elsewhere for each in rounds]),
        batch=known(lambda each: each.batch),
        peak_mb=known(lambda each: each.peak_mb),
        second_half=known(lambda each: each.measured.second_half),
        events_behind=known(lambda each: each.events_behind),
    )


def _spread(figures: Iterable[float | None]) -> Spread | None:
    found = [figure for figure in figures if figure is not None]
    return Spread.of(found) if found else None


def _per_command(round_: Round, part: str) -> float:
    return 1e6 * round_.cpu[part] / round_.measured.commands
