"""The supervision of one process, with small programs of the shell."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ops import child
from ops.child import Child
from ops.errors import LauncherError
from ops.program import Program
from ops.status import Board, ProcessStatus

READY = "touch ready; exec sleep 60"


class Nursery:
    """Makes children whose readiness is the file ``ready``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.board = Board(folder / "status.json")
        self.cleared = 0
        self.way_is_free = asyncio.Event()
        self.way_is_free.set()

    async def is_ready(self) -> bool:
        return (self.folder / "ready").exists()

    async def make_way(self) -> None:
        self.cleared += 1
        await self.way_is_free.wait()

    def bear(self, script: str, stop_seconds: float = 5.0) -> Child:
        program = Program(
            name="child",
            argv=["sh", "-c", script],
            env=dict(os.environ),
            cwd=self.folder,
            probe=self.is_ready,
            stop_seconds=stop_seconds,
            make_way=self.make_way,
        )
        return Child(lambda: program, self.folder, self.board)

    @property
    def told(self) -> ProcessStatus:
        return self.board.status.processes[0]

    def pid(self) -> int:
        assert self.told.pid is not None
        return self.told.pid


@pytest.fixture
def nursery(tmp_path: Path) -> Nursery:
    return Nursery(tmp_path)


def counted_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that are taken from now on: told, and not waited for."""
    pauses: list[float] = []

    async def note(_stopping: asyncio.Event, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(child, "_rest", note)
    return pauses


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.02)


async def test_ready_then_stopped_by_its_signal(nursery: Nursery) -> None:
    born = nursery.bear(f"echo hello; {READY}")
    await born.ready(5)
    pid = nursery.pid()
    assert nursery.told.state == "ready"
    await born.stop()
    assert (nursery.told.state, nursery.told.pid) == ("stopped", None)
    assert not Path(f"/proc/{pid}").exists()
    assert (nursery.folder / "child.log").read_text() == "hello\n"


async def test_what_had_been_ready_is_started_again_at_once(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_SHORTEST_LIFE", 0.0)
    pauses = counted_pauses(monkeypatch)
    born = nursery.bear(READY)
    await born.ready(5)
    before = nursery.pid()
    os.kill(before, signal.SIGKILL)
    await until(lambda: nursery.told.pid not in (None, before))
    assert nursery.told.restarts == 1
    assert nursery.cleared == 2, "before each start"
    assert pauses == []
    await born.stop()


async def test_the_pause_grows_for_what_was_never_ready(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = counted_pauses(monkeypatch)
    born = nursery.bear("exit 1")
    with pytest.raises(LauncherError, match="child does not start"):
        await born.ready(5)
    await until(lambda: len(pauses) >= 9)
    await born.stop()
    assert pauses[:9] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


async def test_the_complaint_quotes_the_last_words(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_FIRST_PAUSE", 0.01)
    born = nursery.bear("echo the disk is on fire >&2; exit 3")
    with pytest.raises(LauncherError, match="the disk is on fire"):
        await born.ready(5)
    await born.stop()


async def test_not_ready_in_time_is_said(nursery: Nursery) -> None:
    born = nursery.bear("exec sleep 60")
    with pytest.raises(LauncherError, match="not ready within"):
        await born.ready(0.3)
    await born.stop()


async def test_a_program_that_is_not_there_is_tried_again(nursery: Nursery) -> None:
    (nursery.folder / "ready").touch()
    program = Program("child", ["./late"], {}, nursery.folder, probe=nursery.is_ready)
    late = nursery.folder / "late"
    born = Child(lambda: program, nursery.folder, nursery.board)
    await asyncio.sleep(0.2)
    late.write_text("#!/bin/sh\nexec sleep 60\n")
    late.chmod(0o755)
    await born.ready(5)
    await born.stop()


async def test_who_does_not_listen_is_killed(nursery: Nursery) -> None:
    born = nursery.bear("trap '' TERM; touch ready; while :; do sleep 0.1; done", stop_seconds=0.3)
    await born.ready(5)
    pid = nursery.pid()
    await born.stop()
    assert not Path(f"/proc/{pid}").exists()


async def test_stopping_in_a_pause_does_not_wait_for_it(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_FIRST_PAUSE", 60.0)
    born = nursery.bear("exit 1")
    await until(lambda: nursery.told.state == "waiting")
    async with asyncio.timeout(10):
        await born.stop()


async def test_what_waits_for_its_way_is_not_ready_nor_started_once_stopped(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_SHORTEST_LIFE", 0.0)
    born = nursery.bear(f"echo born; {READY}")
    await born.ready(5)
    nursery.way_is_free.clear()
    os.kill(nursery.pid(), signal.SIGKILL)
    await until(lambda: nursery.cleared == 2)
    assert (nursery.told.state, nursery.told.pid) == ("waiting", None)
    stopping = asyncio.create_task(born.stop())
    await until(lambda: nursery.told.state == "stopping")
    nursery.way_is_free.set()
    await stopping
    assert (nursery.folder / "child.log").read_text() == "born\n"


async def test_stopping_while_it_is_being_started(nursery: Nursery) -> None:
    for _ in range(5):
        born = nursery.bear("exec sleep 60")
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await born.stop()
    assert {entry.pid for entry in nursery.board.status.processes} == {None}


async def test_who_is_held_ends_and_starts_again_when_released_with_what_it_was_renewed_to(nursery: Nursery) -> None:
    kept = nursery.bear(READY)
    await kept.ready(10)
    before = nursery.pid()
    await kept.hold()
    assert nursery.told.pid is None
    assert nursery.told.state == "waiting"
    (nursery.folder / "ready").unlink()
    kept.renew(replace(kept.program, argv=["sh", "-c", f"touch renewed; {READY}"]))
    await kept.release(10)
    assert (nursery.folder / "renewed").exists()
    assert nursery.pid() != before
    assert nursery.told.restarts == 0, "it did not fail"
    await kept.stop()


async def test_who_is_held_can_be_stopped(nursery: Nursery) -> None:
    kept = nursery.bear(READY)
    await kept.ready(10)
    await kept.hold()
    await asyncio.wait_for(kept.stop(), 5)
    assert nursery.told.state == "stopped"


async def test_who_does_not_come_back_is_told(nursery: Nursery) -> None:
    kept = nursery.bear(READY)
    await kept.ready(10)
    await kept.hold()
    (nursery.folder / "ready").unlink()
    kept.renew(replace(kept.program, argv=["sh", "-c", "exec sleep 60"]))
    with pytest.raises(LauncherError, match="not ready again"):
        await kept.release(0.5)
    await kept.stop()
