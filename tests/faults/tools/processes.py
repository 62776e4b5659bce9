"""Processes as /proc shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PARENT: Final = 1


def state_of(pid: int) -> str:
    """The state's letter, such as ``T`` for one that is paused by a signal; empty where there is no such process."""
    return _stat(pid)[0]


def children(pid: int) -> list[int]:
    """The ids of its children."""
    everybody = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [one for one in everybody if _stat(one)[_PARENT] == str(pid)]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on: the command's name before it may hold blanks."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ["", ""]
    return stat.rpartition(")")[2].split()
