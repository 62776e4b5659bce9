"""A private PostgreSQL: SCRAM only, loopback only, durable."""

import asyncio
import logging
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops import kernel, probes, scram
from ops.backup import archive
from ops.errors import LauncherError
from ops.identity import Identity, give_file, own_folder
from ops.program import Probe, Program

ADMINISTRATOR = "mana_admin"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
"""All that the server and its programs are told by the environment."""
_OLDEST = 15
# So long, 5 s, is waited for sessions that a killed server left; then the server's own check has the word.
_LOOKS, _LOOK_SECONDS = 250, 0.02

log = logging.getLogger(__name__)

# Nothing is relaxed: what durability rests on is said aloud, so that no default elsewhere can change it.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    # Of each session: a statement that sorts more, as one that verifies may, fails before the disk is full for all.
    "temp_file_limit": "10GB",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def binaries() -> Path | None:
    """The folder of the newest installed PostgreSQL that is new enough, None where there is none."""
    found = [
        (int(match[1]), path.parent)
        for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")
        if (match := re.fullmatch(r"(\d+)", path.parent.parent.name)) and int(match[1]) >= _OLDEST
    ]
    return max(found)[1] if found else None


@dataclass(frozen=True)
class Postgres:
    """One private server: its folder, port and administrator's password; where it archives its WAL, if it does, and the
    mark of the place that it does so for. `former`: the password that it may still have."""

    folder: Path
    port: int
    password: str
    wal_archive: Path | None = None
    mark: str = ""
    former: str | None = None

    @property
    def url(self) -> str:
        """Logs in as the administrator, to the database that always exists."""
        return self._url(self.password)

    @property
    def former_url(self) -> str | None:
        """The same with the password of before, None where there is none."""
        return None if self.former is None else self._url(self.former)

    @property
    def probe(self) -> Probe:
        """Whether the administrator may log in."""
        greeting = None if self.wal_archive is None else archive.WAKE
        usual = probes.postgres(self.url, greeting)
        return usual if self.former_url is None else probes.either(usual, probes.postgres(self.former_url, greeting))

    def _url(self, password: str) -> str:
        return f"postgresql://{ADMINISTRATOR}:{password}@127.0.0.1:{self.port}/postgres"

    async def prepare(self) -> Program:
        """Lay out the cluster where it is missing; say how to start it. Raises LauncherError when initdb fails."""
        identity = Identity.of_server("postgres")
        own_folder(self.folder, identity)
        if not (self.cluster / "PG_VERSION").exists():
            await self._initialise(self.cluster, identity)
        settings: dict[str, str] = {}
        if self.wal_archive is not None:
            # By it a cluster, and whatever was copied of it, is told from all others.
            system = control_data(self.cluster, identity, "Database system identifier")
            archive.prepare(self.wal_archive, identity, system, self.mark)
            settings = archive.settings(self.wal_archive)
        return Program(
            name="postgres",
            argv=self.command(self.cluster, settings),
            env=ENVIRONMENT,
            cwd=self.folder,
            probe=self.probe,
            url=f"postgresql://127.0.0.1:{self.port}",
            identity=identity,
            stop_signal="INT",  # fast shutdown: clients are disconnected, everything is written
            make_way=self._end_orphans,
        )

    @property
    def cluster(self) -> Path:
        """Where its data lies."""
        return self.folder / "cluster"

    def command(self, cluster: Path, settings: Mapping[str, str]) -> list[str]:
        """How the server is started on that cluster, with these settings besides its own."""
        chosen = {**SETTINGS, "port": str(self.port), **settings}
        return [str(program("postgres")), "-D", str(cluster), *_options(chosen)]

    def set_password(self, cluster: Path) -> None:
        """Give the administrator of a cluster that no server runs on the password of ours, whatever it was. Raises
        LauncherError."""
        identity = Identity.of_server("postgres")
        # Without a server there is no login: who may write the files is asked for no password.
        command = [str(program("postgres")), "--single", "-D", str(cluster), "-c", "archive_mode=off", "template1"]
        done = subprocess.run(
            identity.command(command),
            cwd=self.folder,
            env=ENVIRONMENT,
            input=f"ALTER ROLE {ADMINISTRATOR} PASSWORD '{scram.record(ADMINISTRATOR, self.password)}'\n".encode(),
            capture_output=True,
            check=False,
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode != 0 or "ERROR:" in said:
            raise LauncherError(f"PostgreSQL's administrator could not be given a password: {said.strip()[-200:]}")

    async def _end_orphans(self) -> None:
        """End the sessions of a server that was killed: one in a long statement keeps the next server out till its end.

        SIGQUIT is what the dead server itself would have sent. Who works in this cluster's folder belongs to it.
        """
        orphans = kernel.working_in(self.cluster.resolve(), "postgres")
        for orphan in orphans:
            log.warning("a killed server left pid %s behind: ending it", orphan.pid)
            orphan.send(signal.SIGQUIT)
        for _ in range(_LOOKS):
            if not any(orphan.is_alive() for orphan in orphans):
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _initialise(self, cluster: Path, identity: Identity) -> None:
        """Make the cluster beside its final place, so that a start that was cut off leaves nothing half made."""
        password_file, draft = self.folder / "password", self.folder / "draft"
        give_file(password_file, self.password + "\n", identity)
        initdb = '"$1" -D "$2" -U "$3" --pwfile="$4" -A scram-sha-256 -E UTF8 --locale=C.UTF-8'
        script = f'rm -rf "$2" && {initdb} && mv "$2" "$5"'
        arguments = [str(program("initdb")), str(draft), ADMINISTRATOR, str(password_file), str(cluster)]
        process = await asyncio.create_subprocess_exec(
            *identity.command(["sh", "-c", script, "sh", *arguments]),
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        password_file.unlink()
        if process.returncode != 0:
            last = output.decode(errors="replace").strip().splitlines()[-1:]
            raise LauncherError(f"PostgreSQL could not lay out its data in {cluster}: {' '.join(last)}")


def program(name: str) -> Path:
    """One of the newest installed PostgreSQL's programs. Raises LauncherError where there is none."""
    folder = binaries()
    if folder is None:
        raise LauncherError("PostgreSQL 15 is not installed: install the package postgresql-15, then start again.")
    return folder / name


def control_data(cluster: Path, identity: Identity, name: str) -> str:
    """What `pg_controldata` says under that name."""
    command = identity.command([str(program("pg_controldata")), "-D", str(cluster)])
    told = subprocess.run(
        command, cwd=cluster.parent, env=ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout
    return next(line for line in told.splitlines() if line.startswith(f"{name}:")).partition(":")[2].strip()


def _options(settings: Mapping[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
