"""`./mana monitoring draw`: the dashboards as pictures, from a running Prometheus, where there is no Grafana."""

import argparse
import os
import sys
import time
from pathlib import Path

from ops.errors import LauncherError
from ops.monitoring.asking import Prometheus, Span
from ops.monitoring.dashboards import Dashboard, Panel, all_of_them
from ops.monitoring.drawing import Line, picture

_POINTS = 240
"""Of each line, about."""
_SHORTEST_WINDOW = 4
"""Of so many intervals of Prometheus a rate is made at the least: so does Grafana."""


def main(arguments: list[str] | None = None) -> int:
    """The program; answers its exit status."""
    parser = argparse.ArgumentParser(prog="./mana monitoring", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    draw = verbs.add_parser("draw", help="draw each dashboard as an SVG file, and all of them as index.html")
    draw.add_argument("--to", type=Path, required=True, help="the folder, which is made where it is missing")
    draw.add_argument("--minutes", type=float, default=15.0, help="so far back, 15 by default")
    draw.add_argument("--interval", type=int, default=15, help="MONITORING_INTERVAL in seconds, 15 by default")
    chosen = parser.parse_args(arguments)
    now = time.time()
    step = max(chosen.interval, round(chosen.minutes * 60 / _POINTS), 1)
    span = Span(now - 60 * chosen.minutes, now, step)
    try:
        with Prometheus.at(_address()) as asked:
            drawn = {one.name: _drawn(one, asked, span, _SHORTEST_WINDOW * step) for one in all_of_them()}
        chosen.to.mkdir(parents=True, exist_ok=True)
        for name, text in [*((f"{name}.svg", text) for name, text in drawn.items()), ("index.html", _page(drawn))]:
            path = chosen.to / name
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path}\n")
    except LauncherError as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


def _page(drawn: dict[str, str]) -> str:
    """All pictures, in the page itself: one file to copy from a machine without a browser."""
    return "\n".join(["<!doctype html><meta charset='utf-8'><title>Mana</title>", *drawn.values()])


def _drawn(dashboard: Dashboard, asked: Prometheus, span: Span, window: int) -> str:
    """The picture of a dashboard over that time; rates look back `window` seconds. Raises LauncherError."""
    return picture(dashboard, [_lines(panel, asked, span, window) for panel in dashboard.panels], span)


def _lines(panel: Panel, asked: Prometheus, span: Span, window: int) -> list[Line]:
    """What the panel shows. Raises LauncherError."""
    return [
        Line(query.name(series.labels), series)
        for query in panel.queries
        for series in asked.over(query.within(window), span)
    ]


def _address() -> str:
    """Raises LauncherError where nothing is monitored."""
    url = os.environ.get("MANA_PROMETHEUS_URL")
    if not url:
        raise LauncherError("There is no Prometheus: start with ./mana up --monitoring, or set MANA_PROMETHEUS_URL.")
    return url


if __name__ == "__main__":
    sys.exit(main())
