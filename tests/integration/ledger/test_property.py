"""The property tests' machine (tests/property), with the real executor and its database where the memory stood."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.ledger.judged import DatabaseLedger
from tests.integration.ledger.owner import Owner
from tests.integration.ledger.server import Database
from tests.property.machine import LedgerMachine
from tests.property.memory import fresh_ids
from tests.property.paying_machine import PayingMachine


async def _run(
    machine: type[LedgerMachine],
    examples: int,
    steps: int,
    timeless: Owner,
    by_hand: asyncpg.Connection,
    database: Database,
) -> None:
    # Ids that rise by one, since lots of one moment are used in the order of their ids.
    ledger = DatabaseLedger(timeless, by_hand, database.url("mana_readonly"), asyncio.get_running_loop(), fresh_ids())
    ledger.set_policy("debt")

    class ExecutorMachine(machine):
        """Begins each example with an empty database, and audits it at the end."""

        def new_ledger(self) -> DatabaseLedger:
            ledger.empty()
            return ledger

        def teardown(self) -> None:
            super().teardown()
            assert ledger.is_sound()

    bounded = settings(settings.get_profile("ci"), max_examples=examples, stateful_step_count=steps)
    await asyncio.to_thread(run_state_machine_as_test, ExecutorMachine, settings=bounded)


@pytest.mark.timeout(300)
async def test_the_executor_agrees_with_the_plain_ledger(
    timeless: Owner, by_hand: asyncpg.Connection, database: Database
) -> None:
    await _run(LedgerMachine, 12, 30, timeless, by_hand, database)
    await _run(PayingMachine, 6, 8, timeless, by_hand, database)


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_the_executor_agrees_at_length(timeless: Owner, by_hand: asyncpg.Connection, database: Database) -> None:
    await _run(LedgerMachine, 300, 50, timeless, by_hand, database)
    await _run(PayingMachine, 200, 30, timeless, by_hand, database)
