"""What goes on when the supervisor becomes another version of itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ops import adopted, kernel
from ops.adopted import Adopted
from ops.child import Child
from ops.kernel import ProcessId
from ops.program import Program
from ops.status import Board, ProcessStatus


class Nursery:
    """Programs of the shell, and what was told of their lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.board = Board(folder / "status.json")

    async def _is_ready(self) -> bool:
        return True

    def recipe(self, script: str) -> Callable[[], Program]:
        program = Program("child", ["sh", "-c", script], dict(os.environ), self.folder, probe=self._is_ready)
        return lambda: program

    def told(self, process: ProcessId | None) -> ProcessStatus:
        entry = self.board.add(self.recipe("false")())
        entry.process, entry.state = process, "ready"
        return entry


@pytest.fixture
def nursery(tmp_path: Path) -> Nursery:
    return Nursery(tmp_path)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def _started(*words: str) -> ProcessId:
    process = ProcessId.of(os.posix_spawnp(words[0], words, os.environ))
    assert process is not None
    return process


async def test_what_runs_goes_on_and_is_started_again_by_the_new_recipe(nursery: Nursery) -> None:
    running = _started("sleep", "60")
    entry = nursery.told(running)
    child = Child(nursery.recipe("exec sleep 61"), nursery.folder, nursery.board, entry)
    await child.ready(0.1)
    await asyncio.sleep(0)
    assert entry.process == running
    assert running.is_alive()
    running.send(signal.SIGKILL)
    await _until(lambda: entry.process not in (None, running))
    assert child.exit_status == -signal.SIGKILL
    successor = entry.process
    assert successor
    await _until(lambda: successor.arguments() == ["sleep", "61"])
    await child.stop()


async def test_what_runs_is_stopped_in_order(nursery: Nursery) -> None:
    running = _started("sleep", "60")
    child = Child(nursery.recipe("false"), nursery.folder, nursery.board, nursery.told(running))
    await child.dismiss()
    assert child.exit_status == -signal.SIGTERM
    assert not running.is_alive()
    assert nursery.board.status.processes == []


async def test_what_ended_meanwhile_is_started_again(nursery: Nursery) -> None:
    ended = _started("sleep", "60")
    ended.send(signal.SIGKILL)
    await _until(lambda: not ended.is_alive())
    for _ in ("it is there to be waited for", "it is not even that"):
        entry = nursery.told(ended)
        child = Child(nursery.recipe("exec sleep 60"), nursery.folder, nursery.board, entry)
        await _until(lambda entry=entry: entry.process not in (None, ended))
        await child.stop()


def test_nobody_else_is_adopted() -> None:
    assert Adopted.of(ProcessId.own()) is None
    later = _started("sleep", "60")
    assert Adopted.of(ProcessId(later.pid, later.started - 1, later.boot)) is None, "its number was somebody else's"
    os.kill(later.pid, signal.SIGKILL)
    os.waitpid(later.pid, 0)


async def test_a_stray_is_ended() -> None:
    known, stray = _started("sleep", "60"), _started("sleep", "60")
    others = [ProcessId.of(pid) for pid in kernel.children() - {stray.pid}]
    assert known in others
    adopted.end_strays(others)
    await _until(lambda: not Path(f"/proc/{stray.pid}").exists())
    assert known.is_alive()
    os.kill(known.pid, signal.SIGKILL)
    os.waitpid(known.pid, 0)
