"""`./mana restart`, at a supervisor's children that are small programs of the shell."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from ops import restarting
from ops.child import Child
from ops.errors import LauncherError
from ops.kernel import ProcessId
from ops.place import Place
from ops.program import Program
from ops.status import Board, load

NAMES = ("hangs", "works", "is left alone")


async def _answers() -> bool:
    return True


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place]:
    """This process is the supervisor, of three."""
    place = Place(tmp_path)
    board = Board(place.status)
    board.publish()

    def program(name: str) -> Program:
        return Program(name, ["sleep", "60"], dict(os.environ), tmp_path, _answers)

    children = [Child(lambda name=name: program(name), tmp_path, board) for name in NAMES]
    await asyncio.gather(*(child.ready(20) for child in children))
    yield place
    await asyncio.gather(*(child.stop() for child in children))


def _processes(place: Place) -> dict[str, ProcessId]:
    told = load(place.status)
    assert told is not None
    return {entry.name: entry.process for entry in told.processes if entry.process}


async def test_one_that_hangs_is_ended_by_force_and_all_that_were_named_are_ready_again(place: Place) -> None:
    """SIGSTOP: it lives, answers nothing, and does not hear that it is to end."""
    before = _processes(place)
    before["hangs"].send(signal.SIGSTOP)
    steps = list[str]()
    await asyncio.to_thread(restarting.restart, place, ["hangs", "works"], steps.append, stop_seconds=0.5)
    after = _processes(place)
    assert {name for name in NAMES if after[name] != before[name]} == {"hangs", "works"}
    assert not before["hangs"].is_alive()
    assert all(process.is_alive() for process in after.values())
    assert steps == ["ending hangs", "waiting for hangs", "ending works", "waiting for works"]


async def test_where_one_is_unknown_none_is_ended(place: Place) -> None:
    before = _processes(place)
    with pytest.raises(LauncherError, match="No process is called nobody; there are: hangs, is left alone, works"):
        await asyncio.to_thread(restarting.restart, place, ["works", "nobody"], lambda _step: None)
    assert _processes(place) == before
