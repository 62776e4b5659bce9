"""Goal: what a scenario could not show has not passed: not played, no recovery measured, or one that took too long."""

from __future__ import annotations

from pathlib import Path

from bench.fault_results import cells
from ops.instance import Instance
from tests.faults.running import play, too_slow, unmeasured
from tests.faults.scenario import NotPlayedError, Scenario
from tests.faults.stage import Notes, Stage


async def _lacks_something(_stage: Stage) -> None:
    raise NotPlayedError("the machine has no moon")


async def test_what_cannot_be_played_has_not_passed(servers: Instance, tmp_path: Path) -> None:
    scenario = Scenario(
        "S99", "by moonlight", _lacks_something, recovers=1, partitions=4, fast=False, postgres_disk=None
    )
    played = await play(servers, scenario, "fast", 1, tmp_path)
    assert not played.clean
    assert played.violations == ["not played: the machine has no moon"]
    assert cells(played)[-1] == "not played"


def test_each_recovery_must_come_in_time() -> None:
    notes = Notes(recoveries={"killed": [1.0, 4.9], "a backlog": [20.0]}, allowed={"a backlog": 30.0})
    assert too_slow(notes, recovers=5.0) == []
    notes.recoveries["killed"].append(5.1)
    assert too_slow(notes, recovers=5.0) == ["killed: all partitions answered after 5.1 s at most, 5 s are allowed"]
    notes.recoveries["a backlog"].append(31.0)
    assert len(too_slow(notes, recovers=5.0)) == 2
    assert too_slow(notes, recovers=5.0, times_as_long=4.0) == []


def test_a_recovery_must_be_measured() -> None:
    assert unmeasured(Notes(recoveries={"killed": [1.0]})) == []
    assert unmeasured(Notes()) == ["no recovery was measured: the run does not say how long one takes"]
