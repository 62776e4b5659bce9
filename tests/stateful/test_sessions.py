"""Sessions in any order of events, over two front processes. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.calls import Fronts
from tests.stateful.machine import SessionMachine
from tests.stateful.model import (
    Act,
    Ban,
    Change,
    EndListed,
    Guess,
    Login,
    Logout,
    LogoutAll,
    Refresh,
    Reset,
    Unban,
)

MEET = [
    *({each} for each in (Login, Guess, Logout, LogoutAll, EndListed, Ban, Unban, Change, Reset)),
    *({Refresh, each} for each in (Refresh, Logout, LogoutAll, EndListed, Ban, Change, Reset)),
]
"""What must have been tried in each run, alone or at once, for the numbers below to be shown."""


async def _run(fronts: Fronts, bounded: settings) -> None:
    loop = asyncio.get_running_loop()

    class Machine(SessionMachine):
        met: ClassVar[set[frozenset[type[Act]]]] = set()

        def __init__(self) -> None:
            super().__init__(fronts, loop)

    await asyncio.to_thread(run_state_machine_as_test, Machine, settings=bounded)
    assert [kinds for kinds in MEET if kinds not in Machine.met] == []


@pytest.mark.timeout(600)
async def test_sessions_agree_with_the_model(fronts: Fronts) -> None:
    """[1, 2, 3, 5, 6, 9, 42, 57]."""
    await _run(fronts, settings(settings.get_profile("ci"), max_examples=18, stateful_step_count=25))


@pytest.mark.slow
@pytest.mark.timeout(3_600)
async def test_sessions_agree_at_length(fronts: Fronts) -> None:
    """[1, 2, 3, 5, 6, 9, 42, 57]: not derandomized, so that each run sees something new."""
    bounded = settings(settings.get_profile("ci"), derandomize=False, max_examples=150, stateful_step_count=50)
    await _run(fronts, bounded)
