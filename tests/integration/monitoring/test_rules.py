"""Rules, their unit tests and their runbooks belong together, and promtool finds no fault with them."""

from __future__ import annotations

import functools
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.monitoring.targets import job_of
from ops.place import CHECKOUT
from ops.servers.prometheus import FOLDER, configuration
from tests.integration.monitoring.conftest import Tool
from tests.integration.monitoring.ruled import RULES, alerts

TESTS = sorted((FOLDER / "tests").glob("*.yml"))
RUNBOOKS = CHECKOUT / "docs" / "operations" / "runbooks"
_GONE = re.compile(r"^\| (\w+) \| \[(\w+)\]\(runbooks/\2\.md\)", re.MULTILINE)
"""A row of the page that says which alert tells that a server is gone."""
ALERTS = "127.0.0.1:9093"
SECTIONS = ["What it means", "What users see", "How to look", "What to do", "How you know that it is over"]


RULED = alerts()


@functools.cache
def _cases() -> dict[str, dict[str, Any]]:
    return {case["name"]: case for path in TESTS for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]}


def _squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", RULED)
def test_an_alert_says_how_grave_it_is_what_is_wrong_and_where_to_read_on(name: str) -> None:
    alert = RULED[name]
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["annotations"]["summary"]
    assert CHECKOUT / alert["annotations"]["runbook"] == RUNBOOKS / f"{name}.md"


@pytest.mark.parametrize("name", RULED)
def test_its_page_tells_the_rule_as_it_is_and_what_to_do(name: str) -> None:
    alert, page = RULED[name], (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    assert f"Severity `{alert['labels']['severity']}`" in page
    (shown,) = re.findall(r"```promql\n(.*?)```", page, flags=re.DOTALL)
    assert _squeezed(shown) == _squeezed(alert["expr"])
    assert re.findall(r"^## (.*)$", page, flags=re.MULTILINE) == SECTIONS
    (told,) = re.findall(
        rf"^\| \[{name}\]\({name}\.md\) \| {alert['labels']['severity']} \| (.*) \|$",
        (RUNBOOKS / "README.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    # A row may name what the rule's label can be.
    pattern = ".+".join(map(re.escape, re.split(r"\{\{.*?\}\}", alert["annotations"]["summary"])))
    assert re.fullmatch(pattern, told), alert["annotations"]["summary"]


def test_there_is_no_page_without_its_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(RULED)


@pytest.mark.parametrize("name", RULED)
def test_each_alert_is_seen_to_fire_and_to_stay_silent(name: str) -> None:
    """By cases that promtool plays, below; each asks for this alert alone, and healthy series are not none at all."""
    cases = _cases()
    (fires,) = cases[f"{name} fires"]["alert_rule_test"]
    (silent,) = cases[f"{name} stays silent"]["alert_rule_test"]
    assert fires["alertname"] == silent["alertname"] == name
    assert fires["exp_alerts"]
    assert silent["exp_alerts"] == []
    assert cases[f"{name} stays silent"]["input_series"]


def test_each_server_that_is_gone_is_told_by_the_alert_that_the_page_names() -> None:
    """By a case of its own, which promtool plays too."""
    rows = _GONE.findall((RUNBOOKS.parent / "watch.md").read_text(encoding="utf-8"))
    assert {server for server, _ in rows} == {"PostgreSQL", "PgBouncer", "RabbitMQ", "Redis"}
    for server, alert in rows:
        asked = _cases()[f"{alert} fires where {server} is gone"]["alert_rule_test"]
        assert any(test["alertname"] == alert and test["exp_alerts"] for test in asked), (server, alert)


def test_the_cases_hold(promtool: Tool) -> None:
    said = promtool("test", "rules", *map(str, TESTS))
    assert said.count("SUCCESS") == len(TESTS) == len(RULES)


def test_the_configuration_for_containers_is_sound(promtool: Tool) -> None:
    said = promtool("check", "config", str(FOLDER / "prometheus.yml"))
    assert said.count("rules found") == len(RULES)


def test_the_configuration_for_containers_finds_every_service_of_ours() -> None:
    """By the names and ports of docker-compose.yml, on a network of both; by no DNS, which says nothing of the dead."""
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    found = dict[str, int]()
    for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]:
        assert "dns_sd_configs" not in job
        for target in (one for named in job["static_configs"] for one in named["targets"]):
            name, _, port = target.partition(":")
            found[name] = int(port)
    environments = {name: service.get("environment") or {} for name, service in services.items()}
    ports = {name: told.get("METRICS_PORT") or told.get("PORT") for name, told in environments.items()}
    ours = {name: int(port) for name, port in ports.items() if port}
    assert found == {**ours, "rabbitmq": 15692, "traefik": 8082, "alertmanager": 9093, "localhost": 9090}
    for name in found.keys() - {"localhost"}:
        assert {*services[name]["networks"]} & {*services["prometheus"]["networks"]}, name


def test_the_configuration_for_this_machine_has_the_same_jobs_and_rules(promtool: Tool, tmp_path: Path) -> None:
    contained, ours = (
        yaml.safe_load((FOLDER / "prometheus.yml").read_text()),
        configuration(timedelta(seconds=15), ALERTS),
    )
    assert [job["job_name"] for job in ours["scrape_configs"]] == [
        job["job_name"] for job in contained["scrape_configs"]
    ]
    assert ours["rule_files"] == contained["rule_files"]
    assert ours["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": [ALERTS]}]}]
    assert ours["global"] == {**contained["global"], "scrape_timeout": "15s"}
    (tmp_path / "rules").symlink_to(FOLDER / "rules")
    (tmp_path / "targets").mkdir()
    for job in ours["scrape_configs"]:
        (tmp_path / "targets" / f"{job['job_name']}.json").write_text("[]")
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(ours))
    assert promtool("check", "config", str(tmp_path / "prometheus.yml")).count("rules found") == len(RULES)


def test_every_process_of_ours_has_its_job() -> None:
    """All of which the launcher starts; what has none would be asked by nobody."""
    jobs = {job["job_name"] for job in configuration(timedelta(seconds=15), ALERTS)["scrape_configs"]}
    assert {job_of(name) for name in ("api", "relay", "clock", "mail", "apps", "payments", "worker-0", "usage")} <= jobs
