"""What the supervisor tells the world: `status.json`, replaced whole at each change."""

from pathlib import Path
from typing import Literal

import msgspec

from ops import private_file
from ops.errors import LauncherError
from ops.kernel import ProcessId
from ops.place import Place
from ops.program import Program
from ops.version import Version

Phase = Literal["starting", "ready", "stopping", "failed"]
ProcessState = Literal["starting", "ready", "unready", "waiting", "stopping", "stopped"]


class ProcessStatus(msgspec.Struct):
    """One process, as `./mana status` shows it."""

    name: str
    url: str | None
    state: ProcessState = "starting"
    process: ProcessId | None = None
    restarts: int = 0
    stop_signal: str = "TERM"
    asked: str | None = None
    """Where this life of it, and no other process, says whether it is ready: its URL, where it has one."""

    @property
    def pid(self) -> int | None:
        """The server's own process id while it runs."""
        return self.process.pid if self.process else None


class Asked(msgspec.Struct):
    """What the supervisor was asked for last, of one kind."""

    number: str
    ended: bool = False
    failure: str | None = None


class Status(msgspec.Struct):
    """An instance: its supervisor, how far it is, and its processes."""

    supervisor: ProcessId
    phase: Phase = "starting"
    step: str = ""
    failure: str | None = None
    stripe_settings: list[str] = msgspec.field(default_factory=list[str])
    """The names of those that it was started with."""
    processes: list[ProcessStatus] = msgspec.field(default_factory=list[ProcessStatus])
    rotation: Asked | None = None
    upgrade: Asked | None = None
    version: Version | None = None
    """The supervisor's."""
    mixed: bool = False
    """Whether some of our processes may be of another version: an upgrade has not come to its end."""


def load(path: Path) -> Status | None:
    """What was last told, None where nothing was."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Status)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def living(path: Path) -> Status | None:
    """What a supervisor that is alive tells, None where none is."""
    status = load(path)
    return status if status is not None and status.supervisor.is_alive() else None


def nothing_runs(place: Place) -> LauncherError:
    """What to raise where something must run."""
    return LauncherError(f"Nothing runs in {place.home}: start it with ./mana up first.")


class Board:
    """The supervisor's side: change it, then `publish`."""

    def __init__(self, path: Path, told: Status | None = None) -> None:
        """`told`: what was told until now, by this very process, while it was another version of itself."""
        self._path = path
        self.status = told or Status(supervisor=ProcessId.own())

    def publish(self) -> None:
        """Write the file."""
        private_file.write(self._path, msgspec.json.encode(self.status).decode(), durable=False)

    def step(self, text: str) -> None:
        """Say what is being done now."""
        self.status.step = text
        self.publish()

    def phase(self, phase: Phase) -> None:
        """Say how far the whole is."""
        self.status.phase = phase
        self.publish()

    def add(self, program: Program) -> ProcessStatus:
        """A new process."""
        entry = ProcessStatus(name=program.name, url=program.url, stop_signal=program.stop_signal)
        self.status.processes.append(entry)
        return entry

    def remove(self, entry: ProcessStatus) -> None:
        """A process that will not come back."""
        self.status.processes = [other for other in self.status.processes if other is not entry]
        self.publish()
