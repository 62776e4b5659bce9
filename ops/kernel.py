"""Processes as the kernel knows them."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Self

import msgspec

_START_FIELD = 22 - 3  # field 22 of /proc/PID/stat (proc(5)), counted from the third
_PARENT_FIELD = 4 - 3
_ENDED = ("Z", "X")


class ProcessId(msgspec.Struct, frozen=True):
    """A process that can be known again.

    A process id alone is soon given to somebody else; with the boot it belongs to and the moment it was started
    at (in clock ticks since boot) it is unmistakable, also for a supervisor that comes later.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this id now, None when there is none or it only waits to be reaped."""
        try:
            fields = _stat(pid)
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in _ENDED else cls(pid, _started(fields), _boot())

    @classmethod
    def own(cls) -> Self:
        """This process."""
        return cls(os.getpid(), _started(_stat(os.getpid())), _boot())

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessId.of(self.pid) == self

    def environment(self) -> dict[str, str]:
        """What it was started with: our own, or seen as root."""
        words = Path(f"/proc/{self.pid}/environ").read_bytes().split(b"\0")
        return dict(os.fsdecode(word).split("=", 1) for word in words if b"=" in word)

    def arguments(self) -> list[str]:
        """Its command and what follows."""
        return [os.fsdecode(word) for word in Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")[:-1]]

    def terminate(self) -> None:
        """Ask it to end, in order."""
        self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Signal it, unless it is gone."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def children() -> set[int]:
    """The ids of the processes that are ours to wait for."""
    found = set[int]()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(_stat(int(entry.name))[_PARENT_FIELD]) == os.getpid():
                found.add(int(entry.name))
    return found


def working_in(folder: Path, command: str) -> list[ProcessId]:
    """The processes of this command's name whose current folder is this one, and that we may look at."""
    found: list[ProcessId] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            named = (entry / "comm").read_text(encoding="utf-8", errors="replace").rstrip("\n") == command
            if named and (entry / "cwd").readlink() == folder and (process := ProcessId.of(int(entry.name))):
                found.append(process)
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on: the command's name before it may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _started(fields: list[str]) -> int:
    return int(fields[_START_FIELD])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
