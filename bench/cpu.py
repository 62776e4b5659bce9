"""CPU time of processes and all their children, from /proc (proc(5), file stat)."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PARENT, _OWN_FIRST, _WAITED_LAST = 1, 11, 14
"""Places behind the command's name: the parent, then utime, stime, and those of children that have ended."""


QUIET_CORES: Final = 0.3
"""Cores that others may use before rates are no longer worth comparing."""


def disturbance(cores: float) -> str:
    """What to make of figures while so many cores were busy with something else."""
    again = ": measure again on a quiet machine" if cores > QUIET_CORES else ""
    return f"up to {cores:.2g} cores were busy elsewhere{again}"


class Meter:
    """Reads the CPU seconds that we ourselves and some trees of processes have used so far, by name."""

    def __init__(self, roots: Mapping[str, Sequence[int]]) -> None:
        self._roots = roots

    def read(self) -> Reading:
        """Seconds of user and system time since each process began. One that is gone counts nothing."""
        stats = _stats()
        children: dict[int, list[int]] = defaultdict(list)
        for pid, fields in stats.items():
            children[fields[_PARENT]].append(pid)
        trees = {name: _of_trees(roots, stats, children) for name, roots in self._roots.items()}
        # Of ourselves without our children: the measured processes are among those.
        return Reading(time.monotonic(), {"generator": time.process_time(), **trees}, _machine())


@dataclass(frozen=True)
class Reading:
    """One look: when (seconds of a monotonic clock), CPU seconds by name, and those of the whole machine."""

    at: float
    parts: dict[str, float]
    machine: float

    def since(self, earlier: Reading) -> dict[str, float]:
        """CPU seconds by name in between."""
        return {name: seconds - earlier.parts[name] for name, seconds in self.parts.items()}

    def elsewhere(self, earlier: Reading) -> float:
        """Cores that were busy with something else in between: where it is much, other figures say little."""
        ours = sum(self.since(earlier).values())
        return max(0.0, self.machine - earlier.machine - ours) / (self.at - earlier.at)


def _machine() -> float:
    """User, nice, system, interrupts and what the hypervisor took, of all cores (proc(5), /proc/stat)."""
    with Path("/proc/stat").open(encoding="ascii") as lines:
        user, nice, system, _idle, _wait, irq, soft_irq, stolen = map(int, lines.readline().split()[1:9])
    return (user + nice + system + irq + soft_irq + stolen) / _TICKS


def _of_trees(roots: Sequence[int], stats: Mapping[int, list[int]], children: Mapping[int, list[int]]) -> float:
    ticks, waiting = 0, [*roots]
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
