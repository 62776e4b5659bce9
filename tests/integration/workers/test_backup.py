"""A running place is copied, and comes back whole, as of a moment; what is not empty, or no backup, is left alone."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from ops import layout, state, urls
from ops.backup import restoring, taking
from ops.backup.record import Record
from ops.errors import LauncherError
from ops.identity import Identity
from ops.instance import Instance
from ops.place import Place
from ops.settings import Settings
from tests.integration.workers.conftest import passable
from tests.integration.workers.running import PARTITIONS

_ADD = "INSERT INTO credits.apps (id, name, permissions) VALUES ($1, $1, '{}')"


@pytest.fixture(scope="module")
def folder() -> Generator[Path]:
    """Where backups and restored places lie."""
    with passable("backup") as folder:
        yield folder


@pytest.fixture(scope="module")
async def backup(servers: Instance, folder: Path) -> tuple[Path, Record]:
    """A backup, with one app that was there before it."""
    owner = await asyncpg.connect(servers.addresses.database)
    await owner.execute(_ADD, "before-the-backup")
    await owner.close()
    return folder / "whole", await taking.take(servers, folder / "whole", _watch)


def _watch(_step: str) -> None: ...


@asynccontextmanager
async def _started(place: Place, database: str) -> AsyncGenerator[asyncpg.Connection]:
    """The restored server alone, as a start would start it, and a connection to it."""
    remembered = state.load(place.state)
    assert remembered is not None
    program = await layout.remembered_postgres(remembered).prepare()
    identity = Identity.of_server("postgres")
    process = await asyncio.create_subprocess_exec(
        *identity.command(program.argv), cwd=program.cwd, env=dict(program.env), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        while not await program.probe():
            assert process.returncode is None
        connection = await asyncpg.connect(urls.with_database(layout.remembered_postgres(remembered).url, database))
        yield connection
    finally:
        process.send_signal(signal.SIGQUIT)
        await process.wait()


async def test_a_place_comes_back_as_of_a_moment(
    servers: Instance, backup: tuple[Path, Record], wal: Path, folder: Path
) -> None:
    source, taken = backup
    assert taken.wal_archive == str(wal)
    owner = await asyncpg.connect(servers.addresses.database)
    await owner.execute(_ADD, "before-the-moment")
    moment = await owner.fetchval("SELECT clock_timestamp()")
    await owner.execute(_ADD, "after-the-moment")
    await owner.close()
    await _archived(servers)
    place, wish = Place(folder / "then"), restoring.Wish(source, moment)
    last = await restoring.restore(place, wish, Settings(), _watch)
    assert last is not None
    assert last <= moment
    kept, known = state.load(place.state), state.load(servers.place.state)
    assert kept is not None
    assert known is not None
    assert (kept.secrets, kept.partitions) == (known.secrets, PARTITIONS)
    async with _started(place, servers.addresses.database_name) as connection:
        apps = await connection.fetch("SELECT id FROM credits.apps WHERE id ~ '-the-' ORDER BY id")
        assert [row["id"] for row in apps] == ["before-the-backup", "before-the-moment"]
        assert await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname ~ '^mana_backup'") == 0
    with pytest.raises(LauncherError, match="holds an instance"):
        await restoring.restore(place, wish, Settings(), _watch)
    shutil.rmtree(kept.data)


async def _archived(place: Instance) -> None:
    """Returns once all WAL of before is in the archive."""
    remembered = state.load(place.place.state)
    assert remembered is not None
    administrator = await asyncpg.connect(layout.remembered_postgres(remembered).url)
    segment = await administrator.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
    while (await administrator.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < segment:
        await asyncio.sleep(0.05)
    await administrator.close()


async def test_what_cannot_be_restored_leaves_nothing(
    servers: Instance, backup: tuple[Path, Record], folder: Path
) -> None:
    source, taken = backup
    with pytest.raises(LauncherError, match="not empty"):
        await taking.take(servers, source, _watch)
    too_early, too_late = taken.ended - timedelta(seconds=1), datetime.now(UTC) + timedelta(days=1)
    spoilt = folder / "spoilt"
    shutil.copytree(source, spoilt)
    with (spoilt / "base" / "pg_wal.tar.gz").open("r+b") as content:
        content.truncate(1_000)
    target = Place(folder / "place")
    for wish, told in (
        (restoring.Wish(folder / "nothing"), "is no backup"),
        (restoring.Wish(source, too_early), "needs an earlier backup"),
        (restoring.Wish(source, too_late), "before configured recovery target was reached"),
        (restoring.Wish(source, too_late, folder / "nowhere"), "There is no folder"),
        (restoring.Wish(spoilt), "could not be read back"),
    ):
        with pytest.raises(LauncherError, match=told):
            await restoring.restore(target, wish, Settings(), _watch)
        assert not target.state.exists()
        assert not target.data_inside.exists()
