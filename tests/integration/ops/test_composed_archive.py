"""docker-compose.yml's PostgreSQL archives its WAL, and ops/restore.sh goes to a moment by it: a real server, with
exactly the service's options."""

from __future__ import annotations

import asyncio
import gzip
import re
import subprocess
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

from ops import ports, roles, schema, urls
from ops.addresses import DATABASE
from ops.identity import Identity, own_folder
from ops.servers import postgres
from tests.integration.ops.composing import Composed
from tests.integration.ops.machine import Machine
from tests.integration.running import served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_SEGMENT = 16 << 20
APP = "by-mistake"


@pytest.fixture
def running(apart: Composed) -> Machine:
    """Whose server works, with what is mounted in the service."""
    held = apart.secrets.postgres_admin
    server = postgres.Postgres(apart.folder / "postgres", apart.port("postgres", 5432), held)
    # Its secrets are those of the checkout.
    machine = Machine(apart.folder, server, server.cluster, apart.wal, DATABASE)
    machine.lay_out()
    return machine


@pytest.fixture
def empty(apart: Composed, running: Machine) -> Generator[Machine]:
    """A machine on which nothing is but the archived WAL; its server has the service's options, and is ended."""
    data = own_folder(apart.folder / "volume", Identity.of_server("postgres"))
    server = replace(running.server, port=ports.choose(None, ()))
    machine = Machine(apart.folder / "empty", server, data, apart.wal, DATABASE)
    machine.lay_out(apart.options_of_postgres())
    yield machine
    machine.stop()


async def test_what_was_deleted_by_mistake_comes_back_by_the_archive(
    apart: Composed, running: Machine, empty: Machine
) -> None:
    backup = apart.folder / "backups" / "one"
    async with served(await apart.postgres()):
        await roles.establish(running.url, DATABASE, apart.secrets.roles)
        await schema.migrate(urls.with_login(running.url, "mana_owner", apart.secrets.roles["mana_owner"]), 4)
        owner = await asyncpg.connect(running.url)
        before = await _now(owner)
        done = running.run("backup.sh", str(backup))
        assert done.returncode == 0, done.stderr
        await owner.execute(f"INSERT INTO credits.apps (id, name, permissions) VALUES ('{APP}', 'x', '{{}}')")
        await owner.execute("ALTER ROLE mana_admin PASSWORD 'changed-since-the-backup'")
        moment = await _now(owner)
        await owner.execute(f"DELETE FROM credits.apps WHERE id = '{APP}'")
        segment = await _archived(owner, apart.wal)
        assert await owner.fetchval("SELECT failed_count FROM pg_stat_archiver") == 0
        await owner.close()
    _is_whole(apart.wal)

    for time, reason in (
        *((before.isoformat(), "needs an earlier backup"), ("in a while", "invalid date")),
        (moment.replace(year=2100).isoformat(), "recovery ended before configured recovery target was reached"),
    ):
        done = empty.run("restore.sh", str(backup), time)
        assert (done.returncode, reason in done.stderr) == (1, True), done.stderr
        assert not [*empty.data.iterdir()]
        assert not (empty.folder / "secrets").exists()

    done = empty.run("restore.sh", str(backup), moment.isoformat())
    assert done.returncode == 0, done.stderr
    assert "The last completed transaction was at log time" in done.stdout
    restored = await asyncpg.connect(empty.url)
    assert await restored.fetchval("SELECT count(*) FROM credits.apps WHERE id = $1", APP) == 1
    # It goes on in the same archive, and is in nobody's way there.
    assert (await _archived(restored, apart.wal)).startswith("00000002")
    assert await restored.fetchval("SELECT failed_count FROM pg_stat_archiver") == 0
    assert (apart.wal / "00000002.history.gz").exists()
    await restored.close()
    _pruned(apart.wal, segment)


async def _now(connection: asyncpg.Connection) -> datetime:
    now: datetime | None = await connection.fetchval("SELECT clock_timestamp()")
    assert now
    return now


async def _archived(connection: asyncpg.Connection, wal: Path) -> str:
    """The segment that is written now, once it is in the archive."""
    segment: str | None = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
    assert segment
    async with asyncio.timeout(60):
        while not (wal / f"{segment}.gz").exists():
            await asyncio.sleep(0.1)
    return segment


def _is_whole(wal: Path) -> None:
    """Nothing but whole segments, and what tells of timelines and backups."""
    sizes = {file.name: file.stat().st_size for file in wal.iterdir()}
    print("bytes in the archive:", sizes)
    segments = [name for name in sizes if re.fullmatch(r"[0-9A-F]{24}\.gz", name)]
    assert len(segments) > 1
    assert all(len(gzip.decompress((wal / name).read_bytes())) == _SEGMENT for name in segments)
    assert all(re.fullmatch(r"[0-9A-F]{24}\.([0-9A-F]{8}\.backup\.)?gz", name) for name in sizes)


def _pruned(wal: Path, first: str) -> None:
    """As docs/operations/keep.md says: what stands before that segment is gone."""
    command = [str(postgres.program("pg_archivecleanup")), "-x", ".gz", str(wal), first]
    subprocess.run(command, check=True)
    kept = sorted(file.name for file in wal.iterdir() if re.fullmatch(r"[0-9A-F]{24}\.gz", file.name))
    assert kept[0] == f"{first}.gz"
    assert len(kept) > 1
