"""A disk of a size of its own, to be full: a file system in memory. Mounting one takes rights that root has mostly."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.faults.tools.errors import NotPermittedError

_BALLAST: Final = "ballast"
_CHUNK: Final = bytes(65_536)
_PAGE: Final = 4_096


class Disk:
    """What is mounted at ``path``. Sizes in MiB."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> int:
        """Takes all room that is left, to the last page; how many bytes that were."""
        taken = 0
        with (self.path / _BALLAST).open("ab", buffering=0) as ballast:
            for size in (len(_CHUNK), _PAGE):
                while written := _written(ballast.fileno(), size):
                    taken += written
        return taken

    def resize(self, size: int) -> None:
        """Makes it larger, with all that is on it."""
        _mount("remount", size, self.path)


@contextmanager
def small_disk(size: int) -> Generator[Disk]:
    """A disk of so many MiB. Raises ``NotPermittedError`` where nothing may be mounted."""
    with tempfile.TemporaryDirectory(prefix="mana-disk-") as folder:
        Path(folder).chmod(0o711)  # the servers' own users pass through it
        path = Path(folder) / "mounted"
        path.mkdir()
        _mount("rw", size, path)
        try:
            yield Disk(path)
        finally:
            subprocess.run(["umount", str(path)], check=True)


def _mount(options: str, size: int, path: Path) -> None:
    argv = ["mount", "-t", "tmpfs", "-o", f"{options},size={size}m", "tmpfs", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotPermittedError(f"a disk of its own cannot be mounted here ({done.stderr.strip()})")


def _written(file: int, size: int) -> int:
    """How many of so many bytes were taken; 0 where the disk is full."""
    try:
        return os.write(file, _CHUNK[:size])
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return 0
