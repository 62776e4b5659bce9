"""How a command asks the supervisor of a running place for something: a file, a signal, and a look at the status."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from ops import private_file, status
from ops.errors import LauncherError
from ops.place import Place
from ops.status import Asked, Status

_LOOK_EVERY = 0.1


class Numbered(Protocol):
    """What is asked for; by its number the answer is known."""

    number: str


def running(place: Place) -> Status:
    """What the instance tells. Raises LauncherError where none runs, or one only starts or stops."""
    told = status.living(place.status)
    if told is None or told.phase != "ready":
        raise status.nothing_runs(place)
    return told


def ask(
    place: Place,
    file: Path,
    wish: Numbered,
    answer: Callable[[Status], Asked | None],
    watch: Callable[[str], None],
) -> Asked:
    """Ask, and return what became of it; `watch` sees each step. Raises LauncherError where nothing runs, and where
    somebody else has asked for the like.
    """
    told = running(place)
    before = answer(told)
    if before is not None and not before.ended:
        raise LauncherError("The same is being done already: ask again when that has ended.")
    private_file.write(file, msgspec.json.encode(wish).decode(), durable=False)
    told.supervisor.send(signal.SIGUSR1)

    def ours(told: Status) -> Asked | None:
        found = answer(told)
        if found is None or found == before:
            return None
        if found.number != wish.number:
            raise LauncherError(f"Somebody else asked for the same before: see {place.logs}/supervisor.log.")
        return found

    return wait(place, ours, watch)


def wait(place: Place, answer: Callable[[Status], Asked | None], watch: Callable[[str], None]) -> Asked:
    """Return what was asked for once it has ended. Raises LauncherError when the supervisor does before."""
    while True:
        told = status.living(place.status)
        if told is None:
            raise LauncherError(f"The supervisor ended meanwhile: see {place.logs}/supervisor.log, and ./mana up.")
        found = answer(told)
        if found and found.ended:
            return found
        watch(told.step)
        time.sleep(_LOOK_EVERY)
