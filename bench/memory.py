"""How much memory a process had at most, from /proc (proc(5), file status)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_KIB: Final = 1024
_MEGABYTE: Final = 1_000_000


def peak_megabytes(pid: int) -> float:
    """The high water mark of its resident set so far, in units of 10^6 bytes. Raises ``OSError`` where it is gone."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _KIB / _MEGABYTE
    raise ProcessLookupError(f"process {pid} has ended")
