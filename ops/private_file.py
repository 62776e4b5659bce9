"""Files that hold secrets or that others read while we write them."""

import os
import tempfile
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o600, *, durable: bool = True) -> None:
    """Replace `path` by `text` in one step, never readable by more than `mode` allows, not even for a moment.

    `durable`: when it returns, the file outlives a loss of power, as rows do that are sealed with a key in it.
    """
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
