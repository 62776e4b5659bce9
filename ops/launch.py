"""Starts a supervisor, and waits for what becomes of it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops import lock, status, supervisor
from ops.errors import LauncherError
from ops.identity import Identity
from ops.place import CHECKOUT, Place
from ops.status import Status
from ops.wish import Wish

_LOOK_EVERY = 0.05


@dataclass(frozen=True)
class Launched:
    """A supervisor of our own making."""

    place: Place
    process: subprocess.Popen[bytes]

    def wait_until_ready(self, watch: Callable[[Status], None]) -> Status:
        """Block until all is ready; `watch` sees each look at the status. Raises LauncherError when that fails."""
        while True:
            code = self.process.poll()
            told = self._told()
            if code is not None:
                raise self._refusal(code, told)
            if told is not None:
                watch(told)
                if told.phase == "ready":
                    return told
            time.sleep(_LOOK_EVERY)

    def stop(self) -> int:
        """Ask it to take everything down, and wait; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()

    def _told(self) -> Status | None:
        told = status.load(self.place.status)
        return told if told and told.supervisor.pid == self.process.pid else None

    def _refusal(self, code: int, told: Status | None) -> LauncherError:
        if code == supervisor.TAKEN:
            return lock.PlaceTakenError(self.place.home)
        if told is not None and told.failure:
            return LauncherError(told.failure)
        return LauncherError(f"The supervisor ended (status {code}) without a word: see {log_of(self.place)}.")


def log_of(place: Place) -> Path:
    """Where the supervisor writes."""
    return place.logs / "supervisor.log"


def launch(place: Place, wish: Wish, environment: Mapping[str, str], *, attached: bool) -> Launched:
    """Start a supervisor; an attached one is told to stop, by the kernel, should this process die."""
    place.home.mkdir(mode=0o711, parents=True, exist_ok=True)
    place.logs.mkdir(mode=0o700, exist_ok=True)
    argv = [sys.executable, "-P", "-m", "ops.supervisor", "--home", str(place.home), "--workers", str(wish.workers)]
    argv += ["--database", wish.database]
    if wish.partitions is not None:
        argv += ["--partitions", str(wish.partitions)]
    if not wish.processes:
        argv.append("--servers-only")
    if wish.with_stand_in:
        argv.append("--with-stand-in")
    if wish.monitored:
        argv.append("--monitored")
    if wish.pooling:
        argv += ["--pgbouncer", str(wish.pooling.server_connections or 0)]
    with log_of(place).open("ab") as output:
        process = subprocess.Popen(
            Identity().command(argv, death_signal="TERM" if attached else None),
            cwd=CHECKOUT,
            env={**environment, "PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Launched(place, process)
