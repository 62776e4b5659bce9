"""One of our processes, kept alive as ``./mana`` keeps it: by the very part of its supervisor that does that."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ops.child import Child
from ops.kernel import ProcessId
from ops.program import Program
from ops.status import Board
from tests.faults.tools import telling
from tests.faults.tools.errors import ToolError
from tests.faults.tools.processes import state_of
from tests.faults.tools.telling import until

READY_SECONDS: Final = 60.0
_DEATH_SECONDS: Final = 20.0
_TELLS_SECONDS: Final = 40.0
_KIB: Final = 1024


class Kept:
    """Started at once; what dies is started again, until it is drained or removed.

    Every fault raises ``ToolError`` where it did not happen.
    """

    def __init__(self, recipe: Callable[[], Program], folder: Path, board: Board) -> None:
        self._child = Child(recipe, folder, board)
        self._entry = board.status.processes[-1]
        self.log = folder / f"{self.name}.log"
        self.gone = False
        """Whether it was drained or removed: nobody starts it again."""

    @property
    def name(self) -> str:
        """Unique among its kind."""
        return self._entry.name

    @property
    def url(self) -> str:
        """Where its HTTP is."""
        if self._entry.url is None:
            raise ToolError(f"{self.name} has no address")
        return self._entry.url

    @property
    def process(self) -> ProcessId:
        """It as it runs now."""
        process = self._entry.process
        if process is None or not process.is_alive():
            raise ToolError(f"{self.name} does not run")
        return process

    @property
    def pid(self) -> int:
        """Its process id now."""
        return self.process.pid

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return self._entry.restarts

    @property
    def runs(self) -> bool:
        """Whether there is a process of it now, ready or not."""
        process = self._entry.process
        return process is not None and process.is_alive()

    @property
    def paused(self) -> bool:
        """Whether it is stopped by a signal; false also for one that does not run."""
        process = self._entry.process
        return process is not None and process.is_alive() and state_of(process.pid) == "T"

    async def kill(self) -> None:
        """SIGKILL, also of a paused one; it is started again."""
        await self._ended_by(signal.SIGKILL)

    async def restart(self) -> int:
        """SIGTERM: it drains, and is started again; its exit status."""
        before = self.process
        await self._ended_by(signal.SIGTERM)

        async def started() -> bool:
            return self._entry.process not in (None, before)

        await until(started, f"{self.name} is started again", _DEATH_SECONDS, self.log)
        status = self._child.exit_status
        assert status is not None
        return status

    async def drain(self) -> int:
        """SIGTERM, for good; its exit status. One that takes longer than its supervisor allows is killed."""
        self.gone = True
        await self._child.stop()
        status = self._child.exit_status
        if status is None:
            raise ToolError(f"{self.name} never lived")
        return status

    async def remove(self) -> None:
        """SIGKILL, for good."""
        self.gone = True
        if self._entry.process is not None:
            self._entry.process.send(signal.SIGKILL)
        await self._child.stop()

    async def pause(self) -> None:
        """SIGSTOP; begins to hold before this returns."""
        await self._signalled(signal.SIGSTOP, paused=True)

    async def wake(self) -> None:
        """SIGCONT to a paused one."""
        if not self.paused:
            raise ToolError(f"{self.name} is not paused")
        await self._signalled(signal.SIGCONT, paused=False)

    async def ready(self, within: float = READY_SECONDS) -> float:
        """Returns once it says that it is ready; how long that took, in seconds."""
        return await until(self._is_ready, f"{self.name} is ready", within, self.log)

    async def health(self) -> dict[str, Any]:
        """What ``/health/ready`` says; empty while nobody answers."""
        return await telling.health(self.url)

    async def meters(self) -> Mapping[str, float]:
        """Its meters by name, summed over labels; empty while nobody answers. They begin anew with each life."""
        return await telling.meters(self.url)

    async def meter(self, name: str) -> float:
        """One of them, as soon as it answers. Raises ``ToolError`` where there is none of this name, or nobody answers
        for long."""
        found = dict[str, float]()

        async def told() -> bool:
            found.update(await self.meters())
            return bool(found)

        try:
            await until(told, f"{self.name} tells its meters", _TELLS_SECONDS, self.log)
        except AssertionError as error:
            raise ToolError(str(error)) from None
        if name not in found:
            raise ToolError(f"{self.name} does not tell {name}")
        return found[name]

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far, in all its lives."""
        return telling.log_lines(self.log)

    def rss(self) -> int:
        """Its resident memory, in bytes."""
        return self._memory("VmRSS")

    def peak_rss(self) -> int:
        """The most that this life's resident memory ever was, in bytes."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
        if found is None:
            raise ToolError(f"{self.name} has no memory any more")
        return int(found[1]) * _KIB

    async def _is_ready(self) -> bool:
        return await telling.is_ready(self.url)

    async def _ended_by(self, number: signal.Signals) -> None:
        process = self.process
        os.kill(process.pid, number)

        async def dead() -> bool:
            return not process.is_alive()

        await until(dead, f"{self.name} ends by {number.name}", _DEATH_SECONDS, self.log)

    async def _signalled(self, number: signal.Signals, *, paused: bool) -> None:
        os.kill(self.pid, number)

        async def look() -> bool:
            return self.paused == paused

        await until(look, f"{self.name} obeys {number.name}", _DEATH_SECONDS)
