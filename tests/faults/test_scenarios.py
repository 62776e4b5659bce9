"""The scenarios that are played for each commit, at their fast size; and those of upgrades and backups, which take
longer."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from ops.instance import Instance
from tests.faults.running import play
from tests.faults.scenario import REGISTRY, Scenario
from tests.faults.scenarios import load_all
from tests.faults.servers import private_servers

load_all()

PARTITIONS = 8
SEED = 4
KEEPING = [REGISTRY[id_] for id_ in ("S25", "S42", "S43")]
FAST = sorted((scenario for scenario in REGISTRY.values() if scenario.fast), key=lambda scenario: scenario.id)


@pytest.fixture(scope="module")
def stricken() -> Generator[Instance]:
    """Servers that one scenario after another does its worst to."""
    with private_servers(partitions=PARTITIONS) as instance:
        yield instance


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scenario", FAST, ids=lambda scenario: scenario.id)
async def test_nothing_is_lost_doubled_or_out_of_order(scenario: Scenario, stricken: Instance, tmp_path: Path) -> None:
    assert scenario.partitions == PARTITIONS
    played = await play(stricken, scenario, "fast", SEED, tmp_path)
    assert played.clean, "\n".join(played.violations)


@pytest.fixture
def own_servers(request: pytest.FixtureRequest) -> Generator[Instance]:
    """As the scenario needs them: its schema may be made anew, its WAL archived."""
    scenario: Scenario = request.param
    with private_servers(partitions=scenario.partitions, archived=scenario.archived) as instance:
        yield instance


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("scenario", "own_servers"),
    [(one, one) for one in KEEPING],
    ids=[one.id for one in KEEPING],
    indirect=["own_servers"],
)
async def test_an_upgrade_and_a_backup_under_load_let_nobody_down(
    scenario: Scenario, own_servers: Instance, tmp_path: Path
) -> None:
    played = await play(own_servers, scenario, "fast", SEED, tmp_path)
    assert played.clean, "\n".join(played.violations)
