"""Processes write straight into their log files; here they are kept from filling the disk."""

import asyncio
import shutil
from pathlib import Path

_BOUND_BYTES = 16 * 1024 * 1024
_PAUSE_SECONDS = 10.0


async def keep_bounded(folder: Path) -> None:
    """Cut every log that grows beyond 16 MiB, for ever; the part before stays as `NAME.log.1`."""
    while True:
        cut_long_ones(folder)
        await asyncio.sleep(_PAUSE_SECONDS)


def cut_long_ones(folder: Path) -> None:
    """Cut those that are too long now."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > _BOUND_BYTES:
            cut(log)


def cut(log: Path) -> None:
    """Keep the content as `NAME.log.1`, and go on empty in the same file: its writers append, and hold it open.

    What is written between the two steps is lost, a few lines at most.
    """
    shutil.copyfile(log, log.with_name(log.name + ".1"))
    with log.open("r+b") as file:
        file.truncate(0)
