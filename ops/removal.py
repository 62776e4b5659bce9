"""Gives up an instance's data."""

import shutil
from pathlib import Path

from ops import state
from ops.place import Place


def purge(place: Place) -> list[str]:
    """Delete data, secrets, mails and logs of a stopped instance; answer which servers were given to it.

    Where any was, the secrets stay: roles and logins there have these passwords, and the front's key seals what
    that database holds. The lock file stays too: others may wait on it.
    """
    remembered = state.load(place.state)
    if remembered is not None and Path(remembered.data).exists():
        shutil.rmtree(remembered.data)
    given = remembered.given if remembered else []
    if not given:
        place.state.unlink(missing_ok=True)
    told = (place.status, place.env, place.definitions, place.dead_letters, place.rotation, place.upgrading)
    for path in told:
        path.unlink(missing_ok=True)
    for folder in (place.logs, place.mails):
        if folder.exists():
            shutil.rmtree(folder)
    return given
