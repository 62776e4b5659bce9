"""Which process is replaced when, and what becomes of the place when a new one does not come up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ops import rolling
from ops.child import Child
from ops.errors import LauncherError
from ops.program import Program
from ops.roster import OURS
from ops.stages import Stages
from ops.status import Board
from ops.takeover import ROLLED

RUNS = "exec sleep 60"
UNREADY = "sleep 60"


class Places:
    """Stages of programs of the shell that are ready as soon as they run, but those that never are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.board = Board(folder / "status.json")
        self.stages = Stages(OURS, folder, self.board)
        self.steps: list[str] = []
        self.patience = 20.0
        self.scripts: dict[str, str] = {}

    async def start(self, *names: str) -> None:
        for name in names:
            await self.stages.start(name, self.recipe(name)).ready(20)

    def recipe(self, name: str) -> Callable[[], Program]:
        async def answers() -> bool:
            return self.scripts.get(name, RUNS) == RUNS

        def made() -> Program:
            script = self.scripts.get(name, RUNS)
            return Program(name, ["sh", "-c", script], dict(os.environ), self.folder, probe=answers)

        return made

    def pids(self) -> dict[str, int | None]:
        assert len({entry.name for entry in self.board.status.processes}) == len(self.board.status.processes)
        return {entry.name: entry.pid for entry in self.board.status.processes}

    async def roll(self, *new: str) -> None:
        recipes = [(name, self.recipe(name)) for name in new]
        await rolling.roll(ROLLED, self.stages, recipes, self.patience, self.steps.append)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


async def test_all_are_replaced_and_who_understands_goes_before_who_sends(places: Places) -> None:
    await places.start("api", "workers", "relay")
    before = places.pids()
    await places.roll("usage")
    after = places.pids()
    assert set(after) == {*before, "usage"}
    assert not set(before.values()) & set(after.values())
    assert places.steps == ["starting usage", "replacing workers", "replacing relay", "replacing api"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in before.values())
    await places.stages.drain()


@pytest.mark.parametrize("name", sorted(rolling.BESIDE))
async def test_the_next_one_is_there_before_the_other_is_told_to_end(places: Places, name: str) -> None:
    await places.start(name)
    [old] = places.stages[name]
    seen: list[list[Child]] = []
    dismiss = old.dismiss

    async def watched() -> None:
        seen.append(list(places.stages[name]))
        await dismiss()

    old.dismiss = watched
    await places.roll()
    [new] = places.stages[name]
    assert seen == [[old, new]]
    await places.stages.drain()


async def test_one_that_does_not_come_up_leaves_the_other_and_all_behind_it(places: Places) -> None:
    await places.start("api", "workers", "usage")
    before = places.pids()
    places.scripts["workers"], places.patience = UNREADY, 3.0
    with pytest.raises(LauncherError, match="workers was not ready within 3 s"):
        await places.roll()
    after = places.pids()
    assert {name for name, pid in after.items() if pid == before[name]} == {"api", "workers"}
    assert [len(places.stages[name]) for name in OURS].count(1) == 3
    await places.stages.drain()


async def test_who_takes_everything_down_in_the_midst_of_it_finds_both(places: Places) -> None:
    await places.start("api")
    places.scripts["api"] = UNREADY
    rolling_ = asyncio.create_task(places.roll())
    while len(places.stages["api"]) == 1:
        await asyncio.sleep(0)
    rolling_.cancel()
    await asyncio.wait([rolling_])
    await places.stages.drain()
    assert [entry.state for entry in places.board.status.processes] == ["stopped", "stopped"]
