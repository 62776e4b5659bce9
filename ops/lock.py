"""One supervisor for one place."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

from ops.errors import LauncherError


class PlaceTakenError(LauncherError):
    """Another start holds the place."""

    def __init__(self, home: Path) -> None:
        super().__init__(
            f"Another ./mana is at work in {home}: wait for it, stop it with ./mana down,"
            " or name another place in MANA_HOME."
        )


@contextlib.contextmanager
def held(path: Path, inherited: int | None = None) -> Generator[int]:
    """Hold the place's lock; its descriptor. Raises PlaceTakenError when another start holds it.

    `inherited`: the descriptor that holds it already, from before this process became another version of itself.

    The descriptor is not inherited by the processes that are started meanwhile (Python's default), so the lock is
    free the moment its holder is gone, whatever it left behind.
    """
    if inherited is None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    else:
        descriptor = inherited
        os.set_inheritable(descriptor, False)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise PlaceTakenError(path.parent) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)
