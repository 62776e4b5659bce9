"""Sessions in any order of events, over two front processes. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.calls import Fronts
from tests.stateful.machine import ENDS, GUESSES, SessionMachine


def _each_end(machine: SessionMachine) -> None:
    machine.first_users((0, 1))
    for number, (kind, other) in enumerate(product(ENDS, (0, 1))):
        front = 1 if number % 4 in (1, 2) else 0
        machine.log_in(other, front, right=True)
        machine.refresh_against(kind, 0, other, 0, front)
    machine.teardown()


def _spent_tokens(machine: SessionMachine) -> None:
    machine.first_users((0, 1))
    machine.lose_an_answer(0, 0, [1, 0])
    for kind in GUESSES:
        machine.guess(kind, 0, 1)
    machine.let_the_grace_pass(0, True, 1)
    machine.log_in(1, 0, right=True)
    machine.refresh(0, 0, 0)
    machine.refresh(0, 0, 1)
    machine.refresh(0, 2, 0)
    assert [(user.retried, user.reused) for user in machine.world.users] == [(0, 0), (2, 2)]
    machine.teardown()


async def _run(fronts: Fronts, bounded: settings) -> None:
    loop = asyncio.get_running_loop()

    class Machine(SessionMachine):
        def __init__(self) -> None:
            super().__init__(fronts, loop)

    await asyncio.to_thread(run_state_machine_as_test, Machine, settings=bounded)


async def test_a_refresh_beside_each_end_of_its_session(fronts: Fronts) -> None:
    """[6, 42, 57]: chance, in the run below, may leave out a pair."""
    await asyncio.to_thread(_each_end, SessionMachine(fronts, asyncio.get_running_loop()))


async def test_a_spent_token_again_before_and_after_the_grace(fronts: Fronts) -> None:
    """[2, 3, 5, 9]: chance, in the run below, may leave out one of them."""
    await asyncio.to_thread(_spent_tokens, SessionMachine(fronts, asyncio.get_running_loop()))


@pytest.mark.timeout(600)
async def test_sessions_agree_with_the_model(fronts: Fronts) -> None:
    """[1, 2, 3, 5, 9, 42, 57]."""
    await _run(fronts, settings(settings.get_profile("ci"), max_examples=10, stateful_step_count=25))


@pytest.mark.slow
@pytest.mark.timeout(3_600)
async def test_sessions_agree_at_length(fronts: Fronts) -> None:
    """[1, 2, 3, 5, 6, 9, 42, 57]: not derandomized, so that each run sees something new."""
    bounded = settings(settings.get_profile("ci"), derandomize=False, max_examples=150, stateful_step_count=50)
    await _run(fronts, bounded)
