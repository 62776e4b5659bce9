"""ops/backup.sh and ops/restore.sh, with a docker that runs in a container's place what it is told: at real servers."""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from ops import layout, ports, state
from ops.identity import Identity, own_folder
from ops.instance import Instance
from tests.integration.ops.machine import Machine
from tests.integration.workers.conftest import passable


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
    database = servers.addresses.database_name
    machine = Machine(folder / "running", server, server.cluster, folder / "wal", database)
    machine.lay_out()
    (machine.folder / "secrets").mkdir(mode=0o700)
    password = machine.folder / "secrets" / "postgres_password"
    password.write_text(server.password)
    password.chmod(0o444)
    return machine


@pytest.fixture
def empty(folder: Path, running: Machine) -> Generator[Machine]:
    """On which nothing is yet; its server is ended."""
    identity = Identity.of_server("postgres")
    data, wal = (own_folder(folder / name, identity) for name in ("volume", "wal"))
    server = replace(running.server, port=ports.choose(None, ()))
    machine = Machine(folder / "empty", server, data, wal, running.database)
    machine.lay_out()
    yield machine
    machine.stop()


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
    assert re.fullmatch("[0-9A-F]{24}\n", (backup / "wal_from").read_text())
    again = running.run("backup.sh", str(backup))
    assert (again.returncode == 0, "File exists" in again.stderr) == (False, True)

    done = empty.run("restore.sh", str(backup))
    assert done.returncode == 0, done.stderr
    secret = empty.folder / "secrets" / "postgres_password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o444, "containers' users read it"
    restored = await asyncpg.connect(empty.url)
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
