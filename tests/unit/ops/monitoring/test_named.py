"""What dashboards and rules ask for is told: else a panel shows zeros, and an alert never fires."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ops.monitoring import dashboards
from ops.place import CHECKOUT
from tests.integration.monitoring.ruled import rules

PAGE = CHECKOUT / "docs" / "reference" / "metrics.md"
_ROW = re.compile(r"^\| `(mana_\w+)` \| (\w+) \| [^|]* \| ([^|]*) \|", re.MULTILINE)
_NAME = re.compile(r"\bmana_\w+")
_RECORDED = re.compile(r"\bmana:[\w:]+")
_CHOSEN = re.compile(r"(mana_\w+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPED = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_PARTS = {"histogram": ("_bucket", "_count", "_sum")}
_OF_PROMETHEUS = {"job", "instance"}
"""Labels that whoever asks adds to each series."""


class Told(NamedTuple):
    """A series as a process tells it: its labels, and the jobs of the processes that do."""

    labels: set[str]
    jobs: set[str]


class Asked(NamedTuple):
    """An expression, and where it stands."""

    where: str
    expression: str


def _told() -> dict[str, Told]:
    """By name, of all that the page lists; of histograms their parts, and no other name."""
    found = dict[str, Told]()
    sections = re.split(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for job, text in zip(sections[::2], sections[1::2], strict=True):
        for name, kind, labels in _ROW.findall(text):
            for part in _PARTS.get(kind, ("",)):
                bounds = {"le"} if part == "_bucket" else set[str]()
                told = found.setdefault(f"{name}{part}", Told(set(), set()))
                told.labels.update(re.findall(r"`(\w+)`", labels), bounds)
                told.jobs.add(job)
    return found


def _asked() -> Iterator[Asked]:
    for dashboard in dashboards.all_of_them():
        for panel in dashboard.panels:
            yield from (Asked(f"{dashboard.name}: {panel.title}", query.expression) for query in panel.queries)
    for rule in rules():
        yield Asked(rule.get("alert") or rule["record"], rule["expr"])


TOLD = _told()
ASKED = list(_asked())


def wrong(expression: str) -> set[str]:
    """What it asks for that no process tells: names, labels, and names of a job that does not tell them."""
    names = set(_NAME.findall(expression))
    found = names - TOLD.keys()
    for name, chosen in _CHOSEN.findall(expression):
        told = TOLD.get(name, Told(set(), set()))
        for label, operator, value in _MATCHER.findall(chosen):
            if label not in told.labels | _OF_PROMETHEUS:
                found.add(f"{name}{{{label}}}")
            if label == "job" and operator == "=" and value not in told.jobs:
                found.add(f'{name}{{job="{value}"}}')
    if names and "rabbitmq_" not in expression:
        known = _OF_PROMETHEUS.union(*(TOLD[name].labels for name in names & TOLD.keys()))
        grouped = {label.strip() for labels in _GROUPED.findall(expression) for label in labels.split(",")} - {""}
        found |= {f"by ({label})" for label in grouped - known}
    return found


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.where)
def test_what_is_asked_for_is_what_the_page_of_metrics_lists(asked: Asked) -> None:
    """The page itself is compared with running processes, by tests/e2e/test_monitoring.py."""
    assert wrong(asked.expression) == set()


def test_what_rules_compute_beforehand_is_what_is_asked_for_by_those_names() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    named = {name for asked in ASKED for name in _RECORDED.findall(asked.expression)}
    assert named <= recorded


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("sum (rate(mana_comands_total[5m])) or on() vector(0)", {"mana_comands_total"}),
        ("rate(mana_batch_commands[5m])", {"mana_batch_commands"}),
        ("rate(mana_commands_sum[5m])", {"mana_commands_sum"}),
        ('sum(rate(mana_commands_total{outcome="replayed"}[5m]))', {"mana_commands_total{outcome}"}),
        ('mana_broker_connected{job="worker"}', {'mana_broker_connected{job="worker"}'}),
        ("sum by (app, outcome) (mana_app_pauses_total)", {"by (outcome)"}),
        ("sum by (le) (rate(mana_batch_commands_count[5m]))", {"by (le)"}),
        ('histogram_quantile(0.5, sum by (le, type) (rate(mana_command_seconds_bucket{job="front"}[5m])))', set()),
    ],
)
def test_a_name_a_label_and_a_job_that_are_misspelt_are_noticed(expression: str, said: set[str]) -> None:
    assert wrong(expression) == said
