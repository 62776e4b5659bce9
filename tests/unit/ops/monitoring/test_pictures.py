"""The pictures that docs/operations/watch.md shows are of today's dashboards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET  # what we made ourselves

import pytest

from ops.monitoring import dashboards
from ops.monitoring.dashboards import Dashboard, Panel
from ops.place import CHECKOUT

PICTURES = CHECKOUT / "docs" / "operations" / "pictures"
PAGE = CHECKOUT / "docs" / "operations" / "watch.md"
TODAY = {dashboard.name: dashboard for dashboard in dashboards.all_of_them()}


@pytest.mark.parametrize("name", TODAY)
def test_a_kept_picture_is_of_its_dashboard_as_it_is_today(name: str) -> None:
    """Else: draw all of them anew, as the page says."""
    drawn = ET.parse(PICTURES / f"{name}.svg")
    assert drawn.findtext("{http://www.w3.org/2000/svg}metadata") == TODAY[name].digest


def test_the_page_shows_a_picture_of_each_dashboard_and_none_besides() -> None:
    assert {path.stem for path in PICTURES.iterdir()} == set(TODAY)
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"](pictures/{name}.svg)" in page for name in TODAY)


def _title(panel: Panel) -> Panel:
    return replace(panel, title=f"{panel.title}!")


def _expression(panel: Panel) -> Panel:
    first, *others = panel.queries
    return replace(panel, queries=[replace(first, expression=f"{first.expression} > 0"), *others])


def _query(panel: Panel) -> Panel:
    return replace(panel, queries=panel.queries[1:])


def _changed(dashboard: Dashboard, change: Callable[[Panel], Panel]) -> Dashboard:
    return replace(dashboard, panels=[*dashboard.panels[:-1], change(dashboard.panels[-1])])


@pytest.mark.parametrize("change", [_title, _expression, _query])
def test_another_title_or_query_is_another_dashboard(change: Callable[[Panel], Panel]) -> None:
    (overview, other, *_) = TODAY.values()
    assert overview.digest not in {_changed(overview, change).digest, other.digest}
