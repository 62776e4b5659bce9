"""Whether the version of the code that lies here could take a running place over, before it is let."""

import importlib
import sys
from pathlib import Path

from ops import handover, packages, processes_settings, settings, state, status
from ops.errors import LauncherError
from ops.place import CHECKOUT, Place
from ops.servers import alertmanager, pgbouncer, prometheus
from ops.settings import Settings
from ops.wish import Wish

_FOLDERS = ("api", "contracts", "migrations", "ops", "workers")
_PROGRAMS = (
    "api.__main__",
    "api.relay.__main__",
    "migrations.__main__",
    "workers.__main__",
    "workers.apps.__main__",
    "workers.clock.__main__",
    "workers.mail.__main__",
    "workers.payments.__main__",
    "workers.usage.__main__",
)


def main(place: Place, wish: Wish) -> int:
    """Exit status 0 if it could; else 1, with a sentence that says why not as the last line."""
    try:
        _refuse(place, wish)
    except LauncherError as refusal:
        sys.stdout.write(f"{refusal}\n")
        return 1
    return 0


def _refuse(place: Place, wish: Wish) -> None:
    """Raises LauncherError where its files are no Python, a package or a server's program is missing, a setting of this
    environment does not fit, or what the version of before has left cannot be understood."""
    for folder in _FOLDERS:
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            _compile(path)
    for program in _PROGRAMS:
        _load(program)
    given = settings.read()
    if wrong := processes_settings.complaints():
        raise LauncherError(" ".join(wrong))
    if missing := _missing(wish, given):
        raise LauncherError(f"Packages are missing: apt-get install {' '.join(missing)}.")
    state.load(place.state)
    if place.status.exists() and status.load(place.status) is None:
        raise LauncherError(f"What runs by {place.status} is not understood.")
    if place.handover.exists():
        handover.read(place)


def _missing(wish: Wish, given: Settings) -> list[str]:
    wanted: dict[str, object] = {}
    if wish.monitored:
        wanted |= {"prometheus": prometheus.binary(), alertmanager.PROGRAM: alertmanager.binary()}
    if wish.pooling:
        wanted["pgbouncer"] = pgbouncer.binary()
    return [*packages.missing(given), *(package for package, found in wanted.items() if not found)]


def _compile(path: Path) -> None:
    try:
        compile(path.read_bytes(), path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise LauncherError(f"{path}, line {error.lineno}: {error.msg}.") from error


def _load(program: str) -> None:
    try:
        importlib.import_module(program)
    except Exception as error:
        raise LauncherError(f"{program} cannot be loaded ({type(error).__name__}: {error}).") from error
