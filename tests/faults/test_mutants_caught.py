"""The oracle can fail: it names every mutant of the worker by its equation, and is content with a healthy worker.

Each trap is played with healthy workers too: so it is the mutant that is caught, and not the play.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import asyncpg
import pytest

from ops.instance import Instance
from tests.faults import traps
from tests.faults.mutants import MUTANTS
from tests.faults.oracle.judge import Verdict
from tests.faults.running import judged
from tests.faults.scenario import REGISTRY, Scenario
from tests.faults.scenarios import load_all
from tests.faults.servers import private_servers
from tests.faults.stage import Stage
from tests.faults.traps import Trap

load_all()

PARTITIONS = 2
SEED = 4
WITHIN = 20.0
"""Seconds; what a mutant has lost never comes."""
CAUGHT: dict[str, tuple[Trap, int]] = {
    "ack_before_commit": (traps.killed_before_commit, 9),
    "ack_multiple_over_uncommitted": (traps.killed_before_commit, 9),
    "failed_batch_acks_all": (traps.batch_rejected, 9),
    "event_before_commit": (traps.killed_before_commit, 7),
    "event_withheld": (traps.batch_rejected, 7),
    "no_unique_key": (traps.killed_before_commit, 3),
    "refusals_not_stored": (traps.killed_behind_a_refusal, 4),
    "no_epoch_check": (traps.stopped_and_followed, 4),
    "retry_in_place_after_lost_commit": (traps.answer_to_commit_lost, 3),
}
"""Where a mutant is caught, and the equation that says so: the one that its own description names."""
CAUGHT_IN_THE_PLAN: dict[str, tuple[str, int | str]] = {
    "ack_before_commit": ("S01", 9),
    "ack_multiple_over_uncommitted": ("S01", 9),
    "failed_batch_acks_all": ("S08", 9),
    "event_before_commit": ("S01", 7),
    "event_withheld": ("S47", 7),
    "no_unique_key": ("S34", 3),
    "refusals_not_stored": ("S01", 4),
    "no_epoch_check": ("S23", "is refused by the epoch"),
    "retry_in_place_after_lost_commit": ("S08", 3),
}
"""The scenario of the table that a mutant does not come through, even at its fast size: by this equation, or since
what it waits for never comes."""
TRAPS = list(dict.fromkeys(trap for trap, _ in CAUGHT.values()))
ALWAYS = traps.killed_before_commit
"""Each commit meets this play, and the four mutants that it catches; ``./mana test --all`` plays the others too."""
EMPTY = """
TRUNCATE credits.balances, credits.lots, credits.transactions, credits.postings, credits.keys, credits.refusals;
UPDATE credits.partitions SET position = 0, confirmed = 0
"""


@pytest.fixture(scope="module")
def servers() -> Generator[Instance]:
    """Servers of this module's own: the ledger on them is spoilt, and emptied, again and again."""
    with private_servers(partitions=PARTITIONS, name="mutants") as instance:
        yield instance


@pytest.fixture
async def ledger(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The ledger as its owner sees it; empty again behind the test."""
    connection = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    yield connection
    await connection.execute(EMPTY)
    await connection.close()


@pytest.fixture
async def weakened(ledger: asyncpg.Connection, mutant: str) -> AsyncGenerator[None]:
    """The schema without what would keep the mutant from its fault."""
    await ledger.execute(f"{EMPTY}; {MUTANTS[mutant].prepare}")
    yield
    await ledger.execute(f"{EMPTY}; {MUTANTS[mutant].restore}")


def _marks(trap: Trap) -> list[pytest.MarkDecorator]:
    return [] if trap is ALWAYS else [pytest.mark.slow]


async def _played(servers: Instance, folder: Path, trap: Trap, mutant: str | None) -> Verdict:
    scenario = Scenario(
        trap.__name__, "", lambda stage: trap(stage, mutant), 0.0, PARTITIONS, fast=False, postgres_disk=None
    )
    return await judged(Stage(servers, scenario, "fast", SEED, folder), SEED, WITHIN)


def test_every_mutant_is_to_be_caught() -> None:
    assert CAUGHT.keys() == CAUGHT_IN_THE_PLAN.keys() == MUTANTS.keys()


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("trap", [pytest.param(trap, id=trap.__name__, marks=_marks(trap)) for trap in TRAPS])
async def test_a_healthy_worker_is_found_clean(trap: Trap, servers: Instance, tmp_path: Path) -> None:
    verdict = await _played(servers, tmp_path, trap, None)
    assert verdict.clean, str(verdict)


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("weakened")
@pytest.mark.parametrize("mutant", [pytest.param(name, marks=_marks(trap)) for name, (trap, _) in CAUGHT.items()])
async def test_a_mutant_is_caught_by_its_equation(mutant: str, servers: Instance, tmp_path: Path) -> None:
    trap, equation = CAUGHT[mutant]
    verdict = await _played(servers, tmp_path, trap, mutant)
    assert equation in verdict.broken, str(verdict)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("ledger")
async def test_keys_make_a_retry_in_place_harmless(servers: Instance, tmp_path: Path) -> None:
    """So it is the forgotten keys for which ``retry_in_place_after_lost_commit`` is caught."""
    verdict = await _played(servers, tmp_path, traps.answer_to_commit_lost, "retry_in_place")
    assert verdict.clean, str(verdict)


@pytest.fixture
def spoilt(mutant: str) -> Generator[Instance]:
    """Servers of its own: what a mutant leaves behind is nothing to go on with."""
    partitions = REGISTRY[CAUGHT_IN_THE_PLAN[mutant][0]].partitions
    with private_servers(partitions=partitions, name="spoilt") as instance:
        yield instance


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("mutant", CAUGHT_IN_THE_PLAN)
async def test_a_mutant_does_not_come_through_the_plan(mutant: str, spoilt: Instance, tmp_path: Path) -> None:
    name, expected = CAUGHT_IN_THE_PLAN[mutant]
    connection = await asyncpg.connect(spoilt.addresses.database_as("mana_owner"))
    await connection.execute(MUTANTS[mutant].prepare or "SELECT")
    await connection.close()
    stage = Stage(spoilt, REGISTRY[name], "fast", SEED, tmp_path)
    stage.workers.mutant = mutant
    if isinstance(expected, str):
        with pytest.raises(AssertionError, match=expected):
            await judged(stage, SEED, WITHIN)
        return
    verdict = await judged(stage, SEED, WITHIN)
    assert expected in verdict.broken, "\n".join([*stage.notes.broken, str(verdict)])
