"""The judge can fail: it names what mutants of the workers do, and is content without them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from ops.instance import Instance
from tests.faults.mutants import PAYING, PAYING_FORCES
from tests.faults.servers import private_servers
from tests.integration.workers.running import PARTITIONS
from tests.payments.playing import Play, Played
from tests.payments.stage import staged

CAUGHT = {
    "acknowledged_before_kept": "was answered with 200, and is not kept",
    "credited_by_each_event": "each paid purchase has one transaction",
    "newest_word_counts": "(status, taken, held, debt, written off)",
    "done_before_sent": "has 0 paid credits",
}
"""Each mutant, and what the judge says of it."""
SEED = 5

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def servers() -> Generator[Instance]:
    """Each of them spoils the books for good."""
    with private_servers(partitions=PARTITIONS, name="payments-mutants") as instance:
        yield instance


async def _played(servers: Instance, folder: Path, mutant: str) -> Played:
    async with staged(servers, folder, mutant=mutant) as stage:
        nemesis = [(0.3, stage.kill_payments), (0.6, stage.kill_payments)]
        return await Play(stage, SEED, within=20, hurried=True).histories(60, {1: nemesis, 2: nemesis})


def test_every_mutant_is_to_be_caught() -> None:
    assert CAUGHT.keys() == PAYING.keys()


@pytest.mark.parametrize("mutant", CAUGHT)
async def test_a_mutant_is_caught(mutant: str, servers: Instance, tmp_path: Path) -> None:
    played = await _played(servers, tmp_path, mutant)
    assert any(CAUGHT[mutant] in complaint for complaint in played.complaints), str(played)


@pytest.mark.parametrize("force", PAYING_FORCES)
async def test_what_the_ledger_must_bear(force: str, servers: Instance, tmp_path: Path) -> None:
    played = await _played(servers, tmp_path, force)
    assert not played.complaints, str(played)
