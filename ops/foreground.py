"""A start as somebody at a terminal sees it."""

import os
import signal

from ops import launch, packages, processes_settings, running, screen, settings
from ops.errors import LauncherError
from ops.place import Place
from ops.wish import Wish


def start(place: Place, wish: Wish, *, attached: bool) -> launch.Launched:
    """Look at the settings, get the servers' programs, start the supervisor, and show its steps until all is ready.

    Raises LauncherError when that fails; Ctrl-C meanwhile takes down what had come up.
    """
    given = _checked_settings(wish)
    with screen.steps("looking for the servers") as show:
        packages.ensure(given, watch=show)
        if wish.monitored:
            packages.require_all(packages.MONITORING, watch=show)
        if wish.pooling:
            packages.require("pgbouncer", "pgbouncer", watch=show)
        # As Ctrl-C, from before there is anything to take down: systemd may stop what only starts.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        launched = launch.launch(place, wish, os.environ, attached=attached)
        try:
            launched.wait_until_ready(lambda told: show(told.step))
        except KeyboardInterrupt:
            show("stopping")
            launched.stop()
            raise
    return launched


def _checked_settings(wish: Wish) -> settings.Settings:
    """The launcher's, once those of the processes are known to fit: nothing is started for settings that are wrong."""
    wrong = processes_settings.complaints() if wish.processes else []
    try:
        given = settings.read()
    except LauncherError as refusal:
        wrong.insert(0, str(refusal))
        raise LauncherError("\n".join(wrong)) from refusal
    if wrong:
        raise LauncherError("\n".join(wrong))
    return given


def stay(launched: launch.Launched) -> None:
    """Until Ctrl-C, SIGTERM, or the end of the supervisor by other means."""
    screen.results.print("Ctrl-C stops everything.")
    try:
        code = launched.process.wait()
    except KeyboardInterrupt:
        with screen.steps("stopping") as show:
            running.stop(launched.place, show)
        code = launched.process.wait()
    if code:
        raise LauncherError(f"The supervisor ended (status {code}): see {launch.log_of(launched.place)}.")
