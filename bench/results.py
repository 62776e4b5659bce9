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
    many cores of the machine were busy with something else meanwhile."""

    name: str
    per_second: Spread
    p50_ms: Spread
    p99_ms: Spread
    cpu_us: dict[str, Spread]
    elsewhere_cores: Spread
    batch: Spread | None = None


@dataclass(frozen=True)
class Report:
    """A benchmark's rows, and what was concluded from them."""

    bench: str
    machine: Machine
    settings: dict[str, Any]
    rows: list[Row]
    conclusions: dict[str, Any]
    at: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

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
        console.print(_table(self.rows))
        for name, value in self.conclusions.items():
            console.print(f"{name}: {value}")


def wide_console() -> Console:
    """The terminal; into a file or pipe, wide enough for a table."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def _table(rows: list[Row]) -> Table:
    parts = list(dict.fromkeys(part for row in rows for part in row.cpu_us))
    table = Table(
        caption="median (least-most) of the rounds; CPU in microseconds for each command; cores busy elsewhere"
    )
    for heading in ("", "per second", "p50 ms", "p99 ms", *(f"CPU {part}" for part in parts), "batch", "elsewhere"):
        table.add_column(heading, justify="right" if heading else "left")
    for row in rows:
        cpu = [_short(row.cpu_us[part].median) if part in row.cpu_us else "" for part in parts]
        batch = "" if row.batch is None else _short(row.batch.median)
        elsewhere = _short(row.elsewhere_cores.median)
        table.add_row(row.name, str(row.per_second), str(row.p50_ms), str(row.p99_ms), *cpu, batch, elsewhere)
    return table


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
