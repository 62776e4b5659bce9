"""Goal: a scenario that this machine cannot play has not passed, and is told apart from one that is broken."""

from __future__ import annotations

from pathlib import Path

from bench.fault_results import cells
from ops.instance import Instance
from tests.faults.running import play
from tests.faults.scenario import NotPlayedError, Scenario
from tests.faults.stage import Stage


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
