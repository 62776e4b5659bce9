"""The servers' programs: there, or installed from the system's packages."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from ops import ports
from ops.errors import LauncherError
from ops.servers import postgres, rabbitmq, redis
from ops.settings import Settings

Watch = Callable[[str], None]

# Of all that apt says, the lines that show how far it is.
_TELLING = ("Get:", "Unpacking ", "Setting up ")
_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = "#!/bin/sh\n# Put here by ./mana for as long as it installs packages: starts no service.\nexit 101\n"
_LOCK = Path("/run/mana-packages.lock")
MONITORING: Mapping[str, str] = {"prometheus": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}
"""What a monitored instance needs besides, each program with its package."""
# The packages' services and their ports, for those that the machine's own policy lets start.
_SERVICES = {
    "postgresql-15": ("postgresql", 5432),
    "rabbitmq-server": ("rabbitmq-server", 5672),
    "redis-server": ("redis-server", 6379),
    "prometheus": ("prometheus", 9090),
    "prometheus-alertmanager": ("prometheus-alertmanager", 9093),
    "pgbouncer": ("pgbouncer", 6432),
}


def missing(settings: Settings) -> list[str]:
    """The packages of those servers that are to be ours and are not installed."""
    wanted = {
        "postgresql-15": settings.database_url or postgres.binaries(),
        "rabbitmq-server": settings.amqp_url or rabbitmq.scripts(),
        "redis-server": settings.given_redis or redis.binary(),
    }
    return [package for package, found in wanted.items() if not found]


def ensure(settings: Settings, watch: Watch) -> None:
    """Install what is missing; `watch` sees what apt is at. Raises LauncherError when that cannot be."""
    packages = missing(settings)
    if packages:
        _refuse_without_means(" ".join(packages))
        with _one_at_a_time(watch):
            _install(missing(settings), watch)  # once more: who was here before us may have done it


def require(program: str, package: str, watch: Watch) -> None:
    """Install the package of a program that not every instance needs. Raises LauncherError when that cannot be."""
    require_all({program: package}, watch)


def require_all(wanted: Mapping[str, str], watch: Watch) -> None:
    """The same for several at once, each program with its package."""
    if packages := _absent(wanted):
        _refuse_without_means(" ".join(packages))
        with _one_at_a_time(watch):
            _install(_absent(wanted), watch)


def _absent(wanted: Mapping[str, str]) -> list[str]:
    return [package for program, package in wanted.items() if shutil.which(program) is None]


def offer(program: str, package: str, watch: Watch) -> None:
    """Install the package of a program that is merely useful, where that can be done.

    Never fails: `watch` is told why it could not be had, and whoever needs it looks for it.
    """
    if shutil.which(program) or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    try:
        with _one_at_a_time(watch):
            _install([package], watch)
    except (LauncherError, OSError) as error:
        watch(f"{package} could not be installed: {error}")


def _refuse_without_means(names: str) -> None:
    if os.geteuid() != 0:
        raise LauncherError(f"Servers are missing: ask an administrator to run: apt-get install {names}")
    if shutil.which("apt-get") is None:
        raise LauncherError(
            f"Servers are missing ({names}) and there is no apt-get: install them by the system's own means,"
            " or name running ones in DATABASE_URL, AMQP_URL and REDIS_URL."
        )


@contextlib.contextmanager
def _one_at_a_time(watch: Watch) -> Generator[None]:
    """Two first starts of different clones: the second waits, for the policy and the services are the machine's."""
    descriptor = os.open(_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        watch("waiting for another ./mana that installs packages")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _install(packages: list[str], watch: Watch) -> None:
    if not packages:
        return
    busy = {port for _, port in _SERVICES.values() if not ports.is_free(port)}
    with _no_services_started():
        _apt(["update"], watch)
        _apt(["install", "-y", "--no-install-recommends", *packages], watch)
    for service, port in (_SERVICES[package] for package in packages if package in _SERVICES):
        _put_to_rest(service, port, busy_before=port in busy)


@contextlib.contextmanager
def _no_services_started() -> Generator[None]:
    """While packages are installed, a policy forbids them to start their services (Debian's invoke-rc.d)."""
    if _POLICY.exists() and _POLICY.read_text(encoding="utf-8", errors="replace") != _POLICY_TEXT:
        yield  # the machine's own policy is not ours to replace; what it lets start is stopped afterwards
        return
    _POLICY.write_text(_POLICY_TEXT, encoding="utf-8")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def _put_to_rest(service: str, port: int, *, busy_before: bool) -> None:
    """A service that came with a package which we installed runs neither now nor after the next boot.

    It is stopped only where it really came up: RabbitMQ's init script, merely asked, starts an epmd that stays.
    """
    if not busy_before and not ports.is_free(port):
        _quietly("service", service, "stop")
        # Refused by epmd itself while any Erlang node is registered there.
        _quietly("epmd", "-kill")
    _quietly("update-rc.d", service, "disable")


def _quietly(*command: str) -> None:
    if shutil.which(command[0]):
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _apt(arguments: list[str], watch: Watch) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments]
    reading, writing = os.pipe()
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing
    ) as process:
        os.close(writing)
        last = ""
        with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith(_TELLING):
                    watch(line.strip())
                last = line.strip() if line.startswith("E:") else last
    if process.returncode != 0:
        raise LauncherError(f"apt-get {arguments[0]} failed ({last}): check network and disk, then start again.")
