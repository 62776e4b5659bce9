"""The folder that a place's PostgreSQL copies its finished WAL into, so that any moment can be restored."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from ops.errors import LauncherError
from ops.identity import Identity, give_file, own_folder

SECONDS = 60
"""A segment is finished after so long, however little is in it: no more can be lost with the server's disk."""
WAKE = "SELECT pg_reload_conf()"
"""Without it nothing is archived by time until the first checkpoint, for five minutes: the server's checkpointer begins
while the server still recovers, when it heeds no such time, and then sleeps until a checkpoint or a signal."""
SETTING = "mana.wal_archive"
"""A setting of the server's that says where it archives; PostgreSQL gives it no meaning."""
_OWNER = "system"
_PER_LOG = 0x100
"""Segments of 16 MB to each 4 GiB of log, which is what the middle eight digits count."""
_PLAIN = re.compile(r"/[A-Za-z0-9._/-]*")
_SEGMENT = re.compile(r"[0-9A-F]{24}|[0-9A-F]{8}\.history")


def settings(folder: Path) -> dict[str, str]:
    """PostgreSQL's settings for it. A segment appears under its name once it is on the disk, and is never replaced."""
    name = f'"{folder}/%f"'
    copy = f'cp "%p" "{folder}/%f.part" && sync "{folder}/%f.part" && mv "{folder}/%f.part" {name} && sync "{folder}"'
    return {
        "archive_mode": "on",
        "archive_command": f'cmp -s "%p" {name} || (test ! -e {name} && {copy})',
        "archive_timeout": f"{SECONDS}s",
        SETTING: str(folder),
    }


def prepare(folder: Path, identity: Identity, system: str, mark: str) -> None:
    """Make the folder the server's, for the WAL of the cluster known as `system` in the place of that mark alone.

    Raises LauncherError where it cannot be: with two clusters' WAL in one folder neither could go on. A cluster and its
    restored copies have one `system`, so their places' marks tell them apart.
    """
    if not _PLAIN.fullmatch(str(folder)):
        raise LauncherError(
            f"BACKUP_WAL_DIR {folder} cannot be used: name a folder from the root on, of letters, digits, . _ - and /."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    own_folder(folder, identity)
    if not identity.can_enter(folder):
        raise LauncherError(f"PostgreSQL's user may not enter BACKUP_WAL_DIR {folder}: give its parents mode 755.")
    owner, told = folder / _OWNER, f"{system} {mark}"
    if not owner.exists():
        give_file(owner, told, identity)
    held = owner.read_text(encoding="utf-8")
    if held == told:
        return
    if held.split()[:1] == [system]:
        raise LauncherError(
            f"BACKUP_WAL_DIR {folder} holds the WAL of another place with the same data, such as the one that this was"
            " restored from: name a folder of this place's own, and take a new backup."
        )
    raise LauncherError(f"BACKUP_WAL_DIR {folder} holds the WAL of another database: name another folder.")


def segments_from(folder: Path, first: str) -> list[Path]:
    """What is archived from that segment on, of whatever timeline, and all timelines' histories."""
    place = _place(first)
    return sorted(
        path
        for path in folder.iterdir()
        if _SEGMENT.fullmatch(path.name) and (path.suffix == ".history" or _place(path.name) >= place)
    )


def gap(segments: Sequence[Path]) -> str | None:
    """The first segment that lacks between those that are there: nothing behind it can be reached."""
    numbers = sorted({_number(path.name) for path in segments if path.suffix != ".history"})
    lacking = (before + 1 for before, after in itertools.pairwise(numbers) if after > before + 1)
    number = next(lacking, None)
    return None if number is None else f"{number // _PER_LOG:08X}{number % _PER_LOG:08X}"


def _number(segment: str) -> int:
    return int(segment[8:16], 16) * _PER_LOG + int(segment[16:], 16)


def _place(segment: str) -> str:
    """Where in the log a segment stands: behind the eight digits of its timeline."""
    return segment[8:]
