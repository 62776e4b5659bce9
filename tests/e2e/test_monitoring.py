"""An instance under load, as the Prometheus of `./mana up --monitoring` sees it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET  # what we made ourselves

import httpx
import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ops import demo, ports
from ops.instance import Instance, private
from ops.monitoring.__main__ import main
from ops.monitoring.asking import Prometheus, Span
from ops.monitoring.dashboards import all_of_them
from ops.monitoring.targets import job_of
from ops.place import CHECKOUT
from ops.programs import ProcessSettings, python, run_environment
from tests.e2e import unusual
from tests.e2e.watching import Watching, eventually
from tests.integration.monitoring.hook import Hook, hearing, make_impatient

pytestmark = pytest.mark.timeout(240)

PARTITIONS = 8
PROCESSES = {"api", "relay", "clock", "mail", "apps", "payments", "worker-0", "worker-1", "usage"}
METRICS = CHECKOUT / "docs" / "reference" / "metrics.md"
RULES = CHECKOUT / "ops" / "prometheus" / "rules"
WINDOW_SECONDS = 10
PATIENCE_SECONDS = 60
OWN = "worker-9"
"""A worker that is none of the instance's."""
ZERO = re.compile(r" or (?:on\(\) )?vector\(0\)")
"""What a query answers where nobody tells anything: with it, a name that is misspelt has a figure too."""
ALERTS_THAT_FIRE = 'count(ALERTS{alertstate="firing"})'
"""Answered by nothing else while all is well."""
BOUGHT = 'sum(mana_stripe_events_total{type="checkout.session.completed"})'


@pytest.fixture(scope="module")
def hook() -> Generator[Hook]:
    """Who is told of alerts."""
    with hearing() as told:
        yield told


@pytest.fixture(scope="module")
def instance(hook: Hook) -> Generator[Instance]:
    """Two workers, everything else once; asked each second."""
    with private(
        name="monitored",
        workers=2,
        partitions=PARTITIONS,
        with_stand_in=True,
        monitored=True,
        environment={"MONITORING_INTERVAL": "1s", "ALERTS_WEBHOOK_URL": hook.url, **unusual.LIMITS},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def watching(instance: Instance) -> Generator[Watching]:
    with httpx.Client(base_url=instance.env["MANA_PROMETHEUS_URL"], timeout=40, trust_env=False) as client:
        found = Watching(client)
        eventually(lambda: found.answering() == PROCESSES | {"rabbitmq", "prometheus", "alertmanager"})
        yield found


@pytest.fixture(scope="module")
def load(instance: Instance, watching: Watching) -> None:
    """Sign-ins, uses by both doors and a purchase, and once more: a rise is seen between two looks only. Then what
    seldom happens."""
    for number in (1, 2):
        demo.run(instance.env, instance.status)
        eventually(lambda number=number: watching.value(f"{BOUGHT} or vector(0)") == number)
    unusual.bring_about(instance)


def test_every_process_and_the_broker_are_asked_and_answer(watching: Watching) -> None:
    """The broker on two pages, Alertmanager, and Prometheus by itself."""
    eventually(lambda: watching.value("sum(up)") == len(PROCESSES) + 4)


@pytest.mark.usefixtures("load")
def test_what_processes_tell_is_what_the_page_lists(instance: Instance) -> None:
    told: dict[str, set[str]] = {}
    for entry in instance.status.processes:
        if entry.name in PROCESSES:
            told.setdefault(job_of(entry.name), set()).update(
                _names(httpx.get(f"{entry.url}/metrics", timeout=40).text)
            )
    assert _listed() == told


def _names(page: str) -> set[str]:
    families = [family for family in text_string_to_metric_families(page) if family.name.startswith("mana_")]
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    return {name for name in names if not name.endswith("_created")}  # when each counter was made: of no use to us


def _listed() -> dict[str, set[str]]:
    sections = re.split(r"^## (.*)$", METRICS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        job: set(re.findall(r"^\| `(mana_\w+)` \|", text, flags=re.MULTILINE))
        for job, text in zip(sections[::2], sections[1::2], strict=True)
    }


@pytest.mark.usefixtures("load")
def test_every_query_of_the_dashboards_is_answered_with_figures(instance: Instance) -> None:
    """Also without the 0 that it has where nobody tells anything."""
    panels = [panel for dashboard in all_of_them() for panel in dashboard.panels]
    asked = {query.within(WINDOW_SECONDS) for panel in panels for query in panel.queries}
    told = {ZERO.sub("", expression) for expression in asked}
    assert len(told - asked) > 5
    assert ALERTS_THAT_FIRE in told
    with Prometheus.at(instance.env["MANA_PROMETHEUS_URL"]) as prometheus:
        unanswered = (asked | told) - {ALERTS_THAT_FIRE}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while unanswered := _unanswered(unanswered, prometheus):
            assert time.monotonic() < deadline, unanswered
            time.sleep(0.5)


def _unanswered(expressions: set[str], asked: Prometheus) -> set[str]:
    """Those that have no figure within the last minute."""
    now = time.time()
    span = Span(now - 60, now, 1)
    return {expression for expression in expressions if not asked.over(expression, span)}


def test_what_rules_ask_of_servers_that_are_not_ours_these_tell(watching: Watching) -> None:
    """What they ask of ours is held to the page by tests/unit/ops/monitoring/test_named.py."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.yml")))
    names = set(re.findall(r'\b(?:rabbitmq|alertmanager|process)_\w*[a-z]\b|(?<=__name__=~")[^"]+', text))
    assert len(names) > 5
    for name in sorted(names):
        eventually(lambda name=name: watching.query(f'{{__name__=~"{name}"}}') != [])


@pytest.mark.usefixtures("load")
def test_dashboards_are_drawn(instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANA_PROMETHEUS_URL", instance.env["MANA_PROMETHEUS_URL"])
    assert main(["draw", "--to", str(tmp_path), "--minutes", "1", "--interval", "1"]) == 0
    for dashboard in all_of_them():
        drawn = ET.parse(tmp_path / f"{dashboard.name}.svg")
        texts = {"".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
        assert {panel.title for panel in dashboard.panels} <= texts
        assert f">{dashboard.title}</text>" in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("load")
def test_nothing_fires_while_all_is_well(watching: Watching) -> None:
    eventually(lambda: watching.query("mana:command_seconds:p99_5m > 0") != [])  # until the rules are judged
    assert watching.alerts() == set()


def test_an_alert_fires_when_a_worker_dies_and_clears_when_it_is_back_and_somebody_is_told_of_both(
    instance: Instance, watching: Watching, hook: Hook, tmp_path: Path
) -> None:
    """A worker of the test's own: nobody starts it again but the test."""
    _make_impatient(instance)
    port = ports.choose(None, ())
    with _worker(instance, port, tmp_path / "first.log") as worker:
        eventually(lambda: _answers(port))  # nobody asks it before: who only begins is not gone
        _watch_also(instance, OWN, port)
        eventually(lambda: OWN in watching.answering())
        assert hook.told("ProcessGone") == []
        worker.kill()
        eventually(lambda: "ProcessGone" in watching.alerts())
        eventually(lambda: watching.query(ALERTS_THAT_FIRE) != [])
        eventually(lambda: hook.told("ProcessGone") == ["firing"])
    with _worker(instance, port, tmp_path / "second.log"):
        eventually(lambda: "ProcessGone" not in watching.alerts())
        eventually(lambda: OWN in watching.answering())
        eventually(lambda: hook.told("ProcessGone") == ["firing", "resolved"])
    assert {alert["labels"]["instance"] for alert in hook.alerts} == {OWN}, "and of nothing else"


def _make_impatient(instance: Instance) -> None:
    """The same rules and the same ways to tell, but of the test's own worker five seconds are enough, and what is to be
    told is told within another. The others may take their time: a busy machine makes them silent for seconds."""
    rules = instance.data / "prometheus" / "rules" / "processes.yml"
    told = yaml.safe_load(rules.read_text(encoding="utf-8"))
    (group,) = told["groups"]
    (gone,) = [rule for rule in group["rules"] if rule.get("alert") == "ProcessGone"]
    assert (gone["expr"], gone["for"]) == ("up == 0", "1m")
    gone["expr"] = f'up{{instance!="{OWN}"}} == 0'
    group["rules"].append({**gone, "expr": f'up{{instance="{OWN}"}} == 0', "for": "5s"})
    rules.write_text(yaml.safe_dump(told), encoding="utf-8")
    ways = instance.data / "alertmanager" / "alertmanager.yml"
    make_impatient(ways)
    for entry in instance.status.processes:
        if entry.name in {"prometheus", "alertmanager"}:
            assert entry.pid is not None
            os.kill(entry.pid, signal.SIGHUP)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=40, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _watch_also(instance: Instance, name: str, port: int) -> None:
    targets = instance.data / "prometheus" / "targets" / "worker.json"
    known = msgspec.json.decode(targets.read_bytes())
    targets.write_bytes(msgspec.json.encode([*known, {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}}]))


@contextmanager
def _worker(instance: Instance, port: int, log: Path) -> Generator[subprocess.Popen[bytes]]:
    """One more ledger worker, killed at the end."""
    settings = ProcessSettings(instance.addresses, PARTITIONS).worker()
    own = {**settings, "MANA_PROCESS_NAME": OWN, "METRICS_PORT": str(port)}
    with log.open("wb") as output:
        process = subprocess.Popen(python("workers"), env=run_environment(own), stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
