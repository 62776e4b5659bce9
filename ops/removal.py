"""Gives up an instance's data."""

import shutil
from pathlib import Path

from ops import state
from ops.place import Place


def purge(place: Place) -> None:
    """Delete the data, the secrets and the logs of a stopped instance. The lock file stays: others may wait on it."""
    remembered = state.load(place.state)
    if remembered is not None and Path(remembered.data).exists():
        shutil.rmtree(remembered.data)
    for path in (place.state, place.status, place.env):
        path.unlink(missing_ok=True)
    if place.logs.exists():
        shutil.rmtree(place.logs)
