"""The page of the fault scenarios: made from what is kept, and from nothing else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench import fault_results, faults_page
from bench.fault_results import Kept, keep, kept
from tests.faults.running import Played
from tests.faults.scenario import REGISTRY
from tests.faults.scenarios import load_all

load_all()

PLAYED = Played(
    id="S99",
    title="a | in a title",
    scale="usual",
    seed=1,
    seconds=60.0,
    injected={"workers killed": 3},
    attempts=1_000,
    acknowledged=900,
    refused=90,
    not_accepted=6,
    unknown=4,
    lost=0,
    doubled=0,
    order_broken=0,
    recoveries={"worker killed": [0.5, 3.0, 1.0]},
    recovers=5.0,
    figures={"memory": "71 MB"},
    violations=[],
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_results, "FILE", tmp_path / "faults.json")


def test_the_page_is_what_the_kept_runs_make_of_it() -> None:
    """``./mana bench faults --page`` writes it anew."""
    assert faults_page.PAGE.read_text(encoding="utf-8") == faults_page.render(_committed(), REGISTRY)


def _committed() -> list[Kept]:
    return msgspec.json.decode((fault_results.FOLDER / "faults.json").read_bytes(), type=list[Kept])


def test_a_run_takes_the_place_of_the_last_one_of_its_scenario() -> None:
    keep(Kept("2026-01-01T00:00:00Z", "one", PLAYED))
    keep(Kept("2026-01-02T00:00:00Z", "two", msgspec.structs.replace(PLAYED, attempts=2_000)))
    keep(Kept("2026-01-02T00:00:00Z", "two", msgspec.structs.replace(PLAYED, id="S98")))
    assert [(row.commit, row.played.id, row.played.attempts) for row in kept()] == [
        ("two", "S98", 1_000),
        ("two", "S99", 2_000),
    ]


def test_what_was_played_fast_is_not_kept() -> None:
    keep(Kept("2026-01-01T00:00:00Z", "one", msgspec.structs.replace(PLAYED, scale="fast")))
    assert kept() == []


def test_a_line_tells_medians_and_the_verdict() -> None:
    text = faults_page.render([Kept("2026-01-01T00:00:00Z", "one", PLAYED)], ())
    assert "worker killed: 1.0, at most 3.0 (5)" in text
    assert "| clean |" in text


def test_a_breach_is_told() -> None:
    broken = msgspec.structs.replace(PLAYED, violations=["(1) user u, key k: lost"])
    text = faults_page.render([Kept("2026-01-01T00:00:00Z", "one", broken)], ())
    assert "| BROKEN |" in text
    assert "  - (1) user u, key k: lost" in text


def test_every_scenario_is_told_of() -> None:
    """Also where no run of it is kept."""
    text = faults_page.render([Kept("2026-01-01T00:00:00Z", "one", PLAYED)], REGISTRY)
    told = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| S")}
    assert told.keys() == {*REGISTRY, "S99"}
    assert {id_ for id_, line in told.items() if line.endswith("| not run |")} == REGISTRY.keys()


def test_runs_of_different_commits_are_told_apart() -> None:
    one = Kept("2026-01-01T00:00:00Z", "one", PLAYED)
    two = Kept("2026-01-01T00:00:00Z", "two", msgspec.structs.replace(PLAYED, id="S98"))
    assert "different commits" not in faults_page.render([one], ())
    assert "2 different commits**: one: S99; two: S98." in faults_page.render([one, two], ())


def test_a_recovery_that_took_too_long_is_told() -> None:
    late = msgspec.structs.replace(PLAYED, in_time={"worker killed": False})
    assert "worker killed: 1.0, at most 3.0 (too late) (5)" in faults_page.render([Kept("", "one", late)], ())


def test_medians_are_over_all_runs() -> None:
    slow = msgspec.structs.replace(PLAYED, id="S98", recoveries={"worker killed": [4.0, 4.0, 5.0]})
    text = faults_page.render([Kept("", "one", PLAYED), Kept("", "one", slow)], ())
    assert "| a worker killed (3 in S99, 3 in S98) | 3.5 | at most 3 | MISSED |" in text
    text = faults_page.render([Kept("", "one", PLAYED)], ())
    assert "| a worker killed (3 in S99) | 1.0 | at most 3 | reached |" in text
    assert "| RabbitMQ killed, from when it is up |  | at most 10 | not measured |" in text
