"""Processes as the kernel knows them."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Self

import msgspec

_START_FIELD = 22 - 3  # of /proc/PID/stat, counted from behind the command's name


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
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = stat.rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        return cls(pid, int(fields[_START_FIELD]), _boot())

    @classmethod
    def own(cls) -> Self:
        """This process."""
        own = cls.of(os.getpid())
        assert own is not None
        return own

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessId.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signal it, unless it is gone."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
