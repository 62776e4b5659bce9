"""What a backup says of itself. It is written last: a folder without it is no backup."""

from datetime import datetime
from pathlib import Path

import msgspec

from ops import private_file
from ops.errors import LauncherError

_FORMAT = 1
_NAME = "backup.json"
_MODE = 0o700
BASE = "base"
STATE = "state.json"
DEFINITIONS = "definitions.json"
LETTERS = "dead_letters.jsonl"


class Record(msgspec.Struct):
    """`began` and `ended` by the database's clock; restoring to a time needs one that is not before `ended`.

    `postgres`: the server's major version. `wal_from`: the first segment that it needs. `wal_archive`: where the place
    archived its WAL then, if it did. `dead_letters`: how many are in it, `dead_letters_left`: how many are not; in a
    backup without the file `LETTERS`, which a version before made, none is.
    """

    began: datetime
    ended: datetime
    postgres: int
    database: str
    partitions: int
    wal_from: str
    wal_archive: str | None = None
    dead_letters: int = 0
    dead_letters_left: int = 0
    format: int = _FORMAT


def write(folder: Path, record: Record) -> None:
    """Make the folder a backup."""
    private_file.write(folder / _NAME, msgspec.json.format(msgspec.json.encode(record)).decode() + "\n")


def read(folder: Path) -> Record:
    """Raises LauncherError where the folder is no backup that this version can read."""
    try:
        record = msgspec.json.decode((folder / _NAME).read_bytes(), type=Record)
    except FileNotFoundError as error:
        raise LauncherError(f"{folder} is no backup, or one that was broken off: {_NAME} is missing.") from error
    except msgspec.DecodeError as error:
        raise LauncherError(f"{folder / _NAME} cannot be read ({error}).") from error
    if record.format != _FORMAT:
        raise LauncherError(f"{folder} is a backup of format {record.format}, and this version reads {_FORMAT}.")
    return record


def empty_folder(folder: Path) -> None:
    """Make it, for our eyes only. Raises LauncherError where it holds anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LauncherError(f"{folder} is not empty: a backup needs a folder of its own.")
    folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
    folder.chmod(_MODE)
