"""CPU time of processes and all their children, from /proc (proc(5), file stat)."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PARENT, _OWN_FIRST, _WAITED_LAST = 1, 11, 14
"""Places behind the command's name: the parent, then utime, stime, and those of children that have ended."""


class Meter:
    """Reads the CPU seconds that some trees of processes have used so far, by name."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots

    def read(self) -> dict[str, float]:
        """Seconds of user and system time since each process began. One that is gone counts nothing."""
        stats = _stats()
        children: dict[int, list[int]] = defaultdict(list)
        for pid, fields in stats.items():
            children[fields[_PARENT]].append(pid)
        return {name: _of_tree(root, stats, children) for name, root in self._roots.items()}


def _of_tree(root: int, stats: Mapping[int, list[int]], children: Mapping[int, list[int]]) -> float:
    ticks, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        if pid in stats:
            ticks += sum(stats[pid][_OWN_FIRST : _WAITED_LAST + 1])
            waiting += children.get(pid, [])
    return ticks / _TICKS


def _stats() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            text = (folder / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        fields = text.rpartition(")")[2].split()
        # The first field is the state's letter; the others are numbers.
        found[int(folder.name)] = [0, *map(int, fields[1 : _WAITED_LAST + 1])]
    return found
