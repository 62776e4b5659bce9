"""ops/backup.sh and ops/restore.sh, with a docker that runs in a container's place what it is told: at real servers."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest

from ops import layout, ports, state
from ops.identity import Identity
from ops.instance import Instance
from ops.place import CHECKOUT
from ops.servers import postgres
from tests.integration.workers.conftest import passable

_DOCKER = """#!/bin/sh
# compose exec -T postgres sh -c SCRIPT …, compose run … --entrypoint sh postgres -c SCRIPT, compose up … postgres
set -eu
case "$*" in
    "compose exec "*) shift 6 ;;
    "compose run "*) shift 9 ;;
    "compose up "*) exec {start} ;;
esac
script=$(printf '%s' "$1" | sed 's#/run/secrets/postgres_password#{password}#; s#=mana #={database} #' |
    sed 's#/var/lib/postgresql/data#{data}#g')
shift
exec sh -c "$script" "$@"
"""


@dataclass(frozen=True)
class Machine:
    """A folder with the checkout's scripts, a ``docker``, and where its container of PostgreSQL has data and port."""

    folder: Path
    server: postgres.Postgres
    data: Path
    database: str

    def run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Type it."""
        programs = f"{self.folder}/bin{os.pathsep}{postgres.binaries()}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["sh", CHECKOUT / "ops" / script, *words],
            cwd=self.folder,
            env={**os.environ, "PATH": programs, "PGPORT": str(self.server.port)},
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *words: str) -> list[str]:
        """pg_ctl, as the server's user."""
        argv = [str(postgres.program("pg_ctl")), "--pgdata", str(self.data), "--wait", "--silent", *words]
        return Identity.of_server("postgres").command(argv)


def _machine(folder: Path, server: postgres.Postgres, data: Path, database: str) -> Machine:
    machine = Machine(folder, server, data, database)
    options = f"-p {server.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    start = machine.command("--log", str(data / "log"), "--options", f"'{options}'", "start")
    own = f"chown -R --reference={data} {data} && " if os.geteuid() == 0 else ""
    docker = folder / "bin" / "docker"
    docker.parent.mkdir(parents=True)
    starting = folder / "bin" / "start"
    starting.write_text(f"#!/bin/sh\n{own}{' '.join(start)}\n")
    password = folder / "secrets" / "postgres_password"
    docker.write_text(_DOCKER.format(start=starting, password=password, data=data, database=database))
    for program in (docker, starting):
        program.chmod(0o755)
    return machine


@pytest.fixture
def folder() -> Generator[Path]:
    """Which the server's user may pass."""
    with passable("composed-backup") as folder:
        yield folder


@pytest.fixture
def running(servers: Instance, folder: Path) -> Machine:
    """Whose database works."""
    held = state.load(servers.place.state)
    assert held is not None
    server = layout.remembered_postgres(held)
    machine = _machine(folder / "running", server, server.cluster, servers.addresses.database_name)
    (machine.folder / "secrets").mkdir(mode=0o700)
    password = machine.folder / "secrets" / "postgres_password"
    password.write_text(server.password)
    password.chmod(0o444)
    return machine


@pytest.fixture
def empty(folder: Path, running: Machine) -> Generator[Machine]:
    """On which nothing is yet; its server is ended."""
    data = folder / "volume"
    data.mkdir(mode=0o700)
    Identity.of_server("postgres").own(data)
    machine = _machine(folder / "empty", replace(running.server, port=ports.choose(None, ())), data, running.database)
    yield machine
    if (data / "postmaster.pid").exists():
        subprocess.run(machine.command("--mode", "fast", "stop"), check=True)


async def test_a_composed_database_comes_back_on_an_empty_machine(
    servers: Instance, running: Machine, empty: Machine
) -> None:
    owner = await asyncpg.connect(servers.addresses.database)
    await owner.execute("INSERT INTO credits.apps (id, name, permissions) VALUES ('in-the-backup', 'x', '{}')")
    backup = running.folder / "backups" / "one"
    done = running.run("backup.sh", str(backup))
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    assert await owner.fetchval("SELECT count(*) FROM mana.backups WHERE place = $1", str(backup)) == 1
    again = running.run("backup.sh", str(backup))
    assert (again.returncode == 0, "File exists" in again.stderr) == (False, True)

    done = empty.run("restore.sh", str(backup))
    assert done.returncode == 0, done.stderr
    secret = empty.folder / "secrets" / "postgres_password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o444, "containers' users read it"
    database = empty.server.url.removesuffix("/postgres") + "/" + servers.addresses.database_name
    restored = await asyncpg.connect(database)
    assert await restored.fetchval("SELECT count(*) FROM credits.apps WHERE id = 'in-the-backup'") == 1
    held = await restored.fetch("SELECT due_at = 'infinity' AS held FROM credits.topup_rounds")
    assert all(row["held"] for row in held)
    assert held
    for connection in (owner, restored):
        await connection.close()

    again = empty.run("restore.sh", str(backup))
    assert (again.returncode, "secrets/ is there already" in again.stderr) == (1, True)
    shutil.rmtree(empty.folder / "secrets")
    again = empty.run("restore.sh", str(backup))
    assert (again.returncode, "holds a database already" in again.stderr) == (1, True)
    assert not (empty.folder / "secrets").exists()


def test_a_backup_that_was_broken_off_is_none(running: Machine, empty: Machine) -> None:
    (running.folder / "secrets" / "postgres_password").chmod(0o644)
    (running.folder / "secrets" / "postgres_password").write_text("wrong")
    broken = running.folder / "broken"
    done = running.run("backup.sh", str(broken))
    assert (done.returncode == 0, "password authentication failed" in done.stderr) == (False, True)
    done = empty.run("restore.sh", str(broken))
    assert (done.returncode, "is no backup" in done.stderr) == (1, True)
