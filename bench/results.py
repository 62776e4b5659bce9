"""A benchmark's figures: kept as JSON under `bench/results/`, shown as a table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.machine import Machine

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Spread:
    """A figure of several rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: list[float]) -> Spread:
        """Sums up at least one figure."""
        return cls(round(median(figures), 3), round(min(figures), 3), round(max(figures), 3))

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.least)}-{_short(self.most)})"


@dataclass(frozen=True)
class Row:
    """One thing that was measured: rates per second, latencies in ms, CPU in microseconds for each command; and how
    many cores of the machine were busy with something else meanwhile.

    ``peak_mb`` is the memory of the largest worker at its peak, in 10^6 bytes; ``second_half``, of a backlog, the rate
    of its second half as a share of the first half's; ``events_behind`` the events that were not confirmed when the
    last answer came, as a share of all commands.
    """

    name: str
    per_second: Spread
    p50_ms: Spread | None
    p99_ms: Spread | None
    cpu_us: dict[str, Spread]
    elsewhere_cores: Spread
    batch: Spread | None = None
    peak_mb: Spread | None = None
    second_half: Spread | None = None
    events_behind: Spread | None = None


@dataclass(frozen=True)
class Goal:
    """What is asked of a figure, in words, and whether it was reached; ``None`` where it never came to be."""

    name: str
    figure: float | None
    rule: str
    reached: bool

    @classmethod
    def at_least(cls, name: str, figure: float, bound: float, why: str = "") -> Goal:
        """Reached from ``bound`` on."""
        return cls(name, round(figure, 3), f"at least {_short(bound)}{why}", figure >= bound)

    @classmethod
    def at_most(cls, name: str, figure: float | None, bound: float, why: str = "") -> Goal:
        """Reached up to ``bound``."""
        rule = f"at most {_short(bound)}{why}"
        return cls(name, None, rule, False) if figure is None else cls(name, round(figure, 3), rule, figure <= bound)


@dataclass(frozen=True)
class Report:
    """A benchmark's rows, what was concluded from them, and the goals; ``more`` is what has no place in a row."""

    bench: str
    machine: Machine
    settings: dict[str, Any]
    rows: list[Row]
    conclusions: dict[str, Any]
    goals: list[Goal] = field(default_factory=list[Goal])
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    at: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    @property
    def status(self) -> int:
        """A process's exit status: 0 where every goal was reached."""
        return 0 if all(goal.reached for goal in self.goals) else 1

    def save(self, folder: Path = FOLDER) -> Path:
        """Writes it to a file named by date and benchmark."""
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.at[:16].replace(':', '')}-{self.bench}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return path

    def show(self, console: Console) -> None:
        """Prints it."""
        machine = self.machine
        console.print(
            f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB; Python {machine.python},"
            f" PostgreSQL {machine.postgresql}, RabbitMQ {machine.rabbitmq}/Erlang {machine.erlang};"
            f" {', '.join(f'{name} {value}' for name, value in machine.durability.items())}; {machine.commit}"
        )
        console.print(", ".join(f"{name} {value}" for name, value in self.settings.items()))
        if self.rows:
            console.print(_table(self.rows))
        for name, value in self.conclusions.items():
            console.print(f"{name}: {value}")
        if self.goals:
            console.print(_goals(self.goals))


def wide_console() -> Console:
    """The terminal; into a file or pipe, wide enough for a table."""
    console = Console()
    return console if console.is_terminal else Console(width=200)


def _table(rows: list[Row]) -> Table:
    parts = list(dict.fromkeys(part for row in rows for part in row.cpu_us))
    table = Table(
        caption="median (least-most) of the rounds; CPU in microseconds for each command; cores busy elsewhere;"
        " the largest worker's peak memory; a backlog's second half by its first; events without a confirm at the last"
        " answer, by commands"
    )
    cpu_headings = (f"CPU {part}" for part in parts)
    for heading in (
        "",
        "per second",
        "p50 ms",
        "p99 ms",
        *cpu_headings,
        "batch",
        "elsewhere",
        "MB",
        "halves",
        "events",
    ):
        table.add_column(heading, justify="right" if heading else "left")
    for row in rows:
        cpu = [_short(row.cpu_us[part].median) if part in row.cpu_us else "" for part in parts]
        latencies = ["" if each is None else str(each) for each in (row.p50_ms, row.p99_ms)]
        others = (row.batch, row.elsewhere_cores, row.peak_mb, row.second_half, row.events_behind)
        medians = ["" if each is None else _short(each.median) for each in others]
        table.add_row(row.name, str(row.per_second), *latencies, *cpu, *medians)
    return table


def _goals(goals: list[Goal]) -> Table:
    table = Table("goal", "figure", "asked", "", title="goals", title_justify="left")
    for goal in goals:
        figure = "never" if goal.figure is None else f"{goal.figure:,.4g}"
        table.add_row(goal.name, figure, goal.rule, "reached" if goal.reached else "[bold]missed[/bold]")
    return table


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
