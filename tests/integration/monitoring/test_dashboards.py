"""Grafana's dashboards and provisioning fit together. What they ask is asked in tests/e2e/test_monitoring.py."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.monitoring import dashboards
from ops.monitoring.dashboards import COLUMNS, FOLDER
from ops.place import CHECKOUT
from tests.integration.monitoring.conftest import Tool

PROVISIONING = CHECKOUT / "ops" / "grafana" / "provisioning"
FILES = sorted(FOLDER.glob("*.json"))
TYPES = {"stat", "timeseries"}


def _read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def test_all_four_are_there_under_addresses_of_their_own() -> None:
    assert {path.stem: _read(path.name)["uid"] for path in FILES} == {
        name: f"mana-{name}" for name in ("overview", "ledger", "auth", "payments")
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_panel_asks_the_source_that_is_provisioned(path: Any) -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "mana.yml").read_text())["datasources"]
    for panel in _read(path.name)["panels"]:
        asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert asked == [{"type": source["type"], "uid": source["uid"]}] * len(asked)
        assert panel["type"] in TYPES
        assert panel["description"]
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEF")[: len(panel["targets"])]


def test_grafana_is_told_where_the_dashboards_are_mounted() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "mana.yml").read_text())["providers"]
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert f"./ops/grafana/dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_panel_lies_on_another_or_beyond_the_edge(path: Any) -> None:
    panels = _read(path.name)["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    places = [panel.place for panel in dashboards.read(path).panels]
    assert all(x + width <= COLUMNS for x, _, width, _ in places)
    for (x, y, w, h), (other_x, other_y, other_w, other_h) in combinations(places, 2):
        apart = x + w <= other_x or other_x + other_w <= x or y + h <= other_y or other_y + other_h <= y
        assert apart


def test_partitions_of_workers_that_are_all_gone_have_no_owner(promtool: Tool, tmp_path: Path) -> None:
    """Those that tell how many there are, and whose, are gone too."""
    panels = dashboards.read(FOLDER / "overview.json").panels
    (query,) = next(panel for panel in panels if panel.title == "Partitions without an owner").queries
    one = '{instance="worker-0"}'
    told = {f"mana_partitions{one}": "32 32 32 32 stale _x60", f"mana_partition_owned{one}": "32 32 24 32 stale _x60"}
    expected = {"1m": 0, "2m": 8, "3m": 0, "4m": 32, "60m": 32}
    case = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in told.items()],
        "promql_expr_test": [
            {"expr": query.expression, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}]}
            for at, value in expected.items()
        ],
    }
    (tmp_path / "cases.yml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [case]}))
    promtool("test", "rules", str(tmp_path / "cases.yml"))
