"""Grafana's dashboards, as far as it takes to ask and draw what they show."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ops.place import CHECKOUT

FOLDER = CHECKOUT / "ops" / "grafana" / "dashboards"
COLUMNS = 24
_WINDOW = "$__rate_interval"
"""The one variable of Grafana's that ours use: how far a rate looks back."""
_LABEL = re.compile(r"{{(\w+)}}")


@dataclass(frozen=True)
class Query:
    """An expression, and how its series are called."""

    expression: str
    legend: str

    def within(self, seconds: int) -> str:
        """The expression for a Prometheus: its rates look back so far, which must be some times its interval."""
        return self.expression.replace(_WINDOW, f"{seconds}s")

    def name(self, labels: dict[str, str]) -> str:
        """What a series is called: the legend with its labels' values."""
        return _LABEL.sub(lambda found: labels.get(found[1], "none"), self.legend)


@dataclass(frozen=True)
class Panel:
    """`place` is x, y, width and height in Grafana's grid of 24 columns."""

    title: str
    description: str
    kind: str
    unit: str
    stacked: bool
    place: tuple[int, int, int, int]
    queries: list[Query]


@dataclass(frozen=True)
class Dashboard:
    """A page of panels; `name` is its file's."""

    name: str
    title: str
    panels: list[Panel]

    @property
    def digest(self) -> str:
        """Of all that a picture of it rests on, queries and legends among it: another one is of another dashboard."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def all_of_them() -> Iterator[Dashboard]:
    """Those in `ops/grafana`, by name."""
    for path in sorted(FOLDER.glob("*.json")):
        yield read(path)


def read(path: Path) -> Dashboard:
    """One, from Grafana's JSON."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return Dashboard(path.stem, told["title"], [_panel(panel) for panel in told["panels"]])


def _panel(told: dict[str, Any]) -> Panel:
    place, defaults = told["gridPos"], told["fieldConfig"]["defaults"]
    return Panel(
        title=told["title"],
        description=told["description"],
        kind=told["type"],
        unit=defaults["unit"],
        stacked="stacking" in defaults.get("custom", {}),
        place=(place["x"], place["y"], place["w"], place["h"]),
        queries=[Query(target["expr"], target["legendFormat"]) for target in told["targets"]],
    )
