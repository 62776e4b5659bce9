"""The scenarios that are played for each commit, at their fast size."""

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
