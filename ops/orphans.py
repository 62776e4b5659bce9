"""What a supervisor that was killed left behind."""

import logging
import signal
import time
from collections.abc import Iterable

from ops.kernel import ProcessId
from ops.status import ProcessStatus, Status

_GRACE_SECONDS = 20.0

log = logging.getLogger(__name__)


def stop(status: Status | None) -> bool:
    """Stop every process that `status` names and that is still the very same; whether there was any.

    The kernel has asked them already, when their supervisor died; what does not follow in twenty seconds is killed.
    """
    return end(status.processes if status else [])


def end(entries: Iterable[ProcessStatus]) -> bool:
    """The same for these."""
    left: list[ProcessId] = []
    for entry in entries:
        if entry.process and entry.process.is_alive():
            log.warning("%s was left behind, pid %s: stopping it", entry.name, entry.pid)
            entry.process.send(signal.Signals[f"SIG{entry.stop_signal}"])
            left.append(entry.process)
    wait_or_kill(left)
    return bool(left)


def wait_or_kill(left: list[ProcessId]) -> None:
    """Return once all have ended, those who take longer than twenty seconds by force."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(process.is_alive() for process in left):
        if time.monotonic() > deadline:
            for process in left:
                process.send(signal.SIGKILL)
        time.sleep(0.05)
