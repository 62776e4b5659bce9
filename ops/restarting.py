"""`./mana restart`: ends a process, in order or by force, which its supervisor then starts again."""

import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

from ops import status
from ops.errors import LauncherError
from ops.kernel import ProcessId
from ops.place import Place
from ops.status import ProcessStatus

STOP_SECONDS: Final = 30.0
"""So long a process may take to end in order: none of ours, and no server, is given longer by the supervisor either."""
_READY_SECONDS: Final = 120.0
_LOOK_EVERY: Final = 0.1


def restart(
    place: Place, names: Sequence[str], watch: Callable[[str], None], stop_seconds: float = STOP_SECONDS
) -> None:
    """One after the other; returns when all are ready again. Raises LauncherError where one is unknown, or is not."""
    for name in names:
        _entry(place, name)
    for name in names:
        before = _entry(place, name)
        if before.process is not None:
            watch(f"ending {name}")
            _end(before.process, signal.Signals[f"SIG{before.stop_signal}"], stop_seconds)
        watch(f"waiting for {name}")
        _wait_until_ready(place, before)


def _end(process: ProcessId, number: signal.Signals, stop_seconds: float) -> None:
    """One that hangs, or was stopped by SIGSTOP, hears nothing but SIGKILL."""
    process.send(number)
    deadline = time.monotonic() + stop_seconds
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
    process.send(signal.SIGKILL)


def _wait_until_ready(place: Place, before: ProcessStatus) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        now = _entry(place, before.name)
        if now.process not in (None, before.process) and now.state == "ready":
            return
        if time.monotonic() > deadline:
            raise LauncherError(f"{before.name} is not ready again ({now.state}): see ./mana logs {before.name}.")
        time.sleep(_LOOK_EVERY)


def _entry(place: Place, name: str) -> ProcessStatus:
    told = status.living(place.status)
    if told is None:
        raise status.nothing_runs(place)
    named = {entry.name: entry for entry in told.processes}
    if name not in named:
        raise LauncherError(f"No process is called {name}; there are: {', '.join(sorted(named))}.")
    return named[name]
