"""Panels that the operators' pages name, **in bold**, are in the dashboard that is named with them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ops.monitoring import dashboards
from ops.place import CHECKOUT

OPERATIONS = CHECKOUT / "docs" / "operations"
TITLES = {one.name: [panel.title for panel in one.panels] for one in dashboards.all_of_them()}
_NAMES = "|".join(TITLES)
# Up to where the sentence names another one, or ends with its item.
_NAMED = re.compile(rf"\*({_NAMES})\*(?!\*)(.*?)(?=[^*]\*(?:{_NAMES})\*[^*]|\n *- |\n\n|\Z)", re.DOTALL | re.IGNORECASE)
_BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
_SECTION = re.compile(rf"^## ({_NAMES}):(.*?)(?=^## |\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE)


def _in_bold(text: str) -> Iterator[str]:
    return (" ".join(name.split()) for name in _BOLD.findall(text))


def _panels_of_runbooks() -> Iterator[tuple[str, str, str]]:
    for page in sorted((OPERATIONS / "runbooks").glob("*.md")):
        for name, behind in _NAMED.findall(page.read_text(encoding="utf-8")):
            yield from ((page.stem, name.lower(), panel) for panel in _in_bold(behind))


PANELS = list(_panels_of_runbooks())


@pytest.mark.parametrize(("page", "dashboard", "panel"), PANELS)
def test_a_panel_that_a_runbook_names_is_there(page: str, dashboard: str, panel: str) -> None:
    assert panel in TITLES[dashboard], page


def test_runbooks_name_panels() -> None:
    assert ("CommandsBacklog", "overview", "Partitions without an owner") in PANELS, "the second of two dashboards"
    assert ("CommandsBacklog", "ledger", "Owners of partitions") in PANELS
    assert ("CommandsSlow", "ledger", "Time in the worker") in PANELS, "on the next line"
    assert len(PANELS) > 8


def test_what_the_page_of_dashboards_explains_is_there() -> None:
    """In short: a part of the title will do."""
    sections = _SECTION.findall((OPERATIONS / "watch.md").read_text(encoding="utf-8"))
    assert sorted(name.lower() for name, _ in sections) == sorted(TITLES)
    for name, text in sections:
        titles = [title.lower() for title in TITLES[name.lower()]]
        named = list(_in_bold(text))
        assert len(named) > 3, name
        for panel in named:
            assert any(panel.lower() in title for title in titles), f"{name}: {panel}"
