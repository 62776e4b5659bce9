"""Commands for an instance that runs, or that is to be stopped."""

import time
from collections.abc import Callable

from ops import lock, orphans, removal, state, status, upgrading
from ops.errors import LauncherError
from ops.place import Place
from ops.status import Status

# The longest drain that is in order: each stage's patience, and some air.
_DRAIN_SECONDS = 120.0
_LOOK_EVERY = 0.1


def find(place: Place) -> Status | None:
    """The instance that is up, None when nothing runs. Raises LauncherError while one starts or stops."""
    told = status.living(place.status)
    if told is not None and told.phase != "ready":
        raise lock.PlaceTakenError(place.home)
    return told


def refuse_other_partitions(place: Place, asked: int | None) -> None:
    """Raises LauncherError when another number of partitions is asked for than there is."""
    remembered = state.load(place.state)
    if asked and remembered and remembered.partitions not in (None, asked):
        raise LauncherError(
            f"This instance has {remembered.partitions} partitions, not {asked}, and their number is fixed: leave"
            " --partitions out, or give up the data with ./mana down --purge."
        )


def stop(place: Place, watch: Callable[[str], None]) -> bool:
    """Stop what runs in the place, also what a killed supervisor left; whether there was anything."""
    if not place.home.is_dir():
        return False
    told = status.living(place.status)
    if told is not None:
        _stop_supervisor(place, told, watch)
    with lock.held(place.lock):
        left = orphans.stop(status.load(place.status))
        place.status.unlink(missing_ok=True)
        place.env.unlink(missing_ok=True)
    return told is not None or left


def purge(place: Place) -> str:
    """Delete the data of a stopped instance; say what was deleted, and what was not."""
    if not place.home.is_dir():
        return "There was no data."
    with lock.held(place.lock):
        given = removal.purge(place)
    if not given:
        return "The data is deleted."
    return (
        f"The given servers ({', '.join(given)}) were not touched, and what logs in there is kept in {place.state}:"
        " only what lay in this place is deleted."
    )


def ignored(told: Status, workers: int | None) -> str | None:
    """What to say to somebody who asks a running instance for another number of workers; None where it is as asked."""
    running = sum(entry.name.startswith("worker-") for entry in told.processes)
    if workers in (None, running):
        return None
    return f"--workers was ignored, {running} run: ./mana down, then ./mana up --workers {workers} changes that."


def without_change(told: Status, option: str, program: str, *, asked: bool | None) -> str | None:
    """What to say to somebody who asks a running instance, by that option or its ``no-``, to have this program or not;
    None where it is as asked."""
    if asked in (None, any(entry.name == program for entry in told.processes)):
        return None
    said = f"--{option}" if asked else f"--no-{option}"
    return f"{said} was ignored: ./mana down, then ./mana up {said} changes that."


def unheard(told: Status) -> str | None:
    """What to say to somebody whose settings are others than those of a running instance; None where there are none."""
    names = upgrading.differing_settings(told)
    if not names:
        return None
    return f"It keeps the settings that it was started with: ./mana down, then ./mana up changes {', '.join(names)}."


def _stop_supervisor(place: Place, told: Status, watch: Callable[[str], None]) -> None:
    told.supervisor.terminate()
    deadline = time.monotonic() + _DRAIN_SECONDS
    while told.supervisor.is_alive():
        if time.monotonic() > deadline:
            raise LauncherError(
                f"The supervisor (pid {told.supervisor.pid}) does not end: see {place.logs}/supervisor.log;"
                " kill it, then run ./mana down again."
            )
        now = status.load(place.status)
        going = [entry.name for entry in now.processes if entry.process] if now else []
        watch(f"stopping {', '.join(going)}" if going else "stopping")
        time.sleep(_LOOK_EVERY)
