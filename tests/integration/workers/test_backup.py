"""A running place is copied, and comes back whole, as of a moment; what is not empty, or no backup, is left alone."""

from __future__ import annotations

import asyncio
import shutil
import signal
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from api.database import Database
from api.relay.watching import DatabaseMetrics, Watching
from contracts.topology import WORKER_LOGIN
from ops import layout, roles, state, urls
from ops.backup import archive, letters, record, restoring, taking
from ops.backup.record import Record
from ops.commands import running
from ops.errors import LauncherError
from ops.identity import Identity
from ops.instance import Instance
from ops.place import Place
from ops.servers.postgres import ADMINISTRATOR
from ops.settings import Settings
from ops.state import DATABASE_ROLES, State
from tests.e2e.client import Client
from tests.integration.workers.conftest import passable
from tests.integration.workers.dead import Mana, ids, keep, there_are, use
from tests.integration.workers.running import PARTITIONS

pytestmark = pytest.mark.own_servers

_ADD = "INSERT INTO credits.apps (id, name, permissions) VALUES ($1, $1, '{}')"


@pytest.fixture(scope="module")
def folder() -> Generator[Path]:
    """Where backups and restored places lie."""
    with passable("backup") as folder:
        yield folder


@pytest.fixture(scope="module")
async def backup(servers: Instance, folder: Path) -> tuple[Path, Record]:
    """A backup, with one app that was there before it, and two dead letters; the server's log has its statements."""
    owner = await asyncpg.connect(servers.addresses.database)
    await owner.execute(_ADD, "before-the-backup")
    await owner.close()
    administrator = await asyncpg.connect(layout.remembered_postgres(_state(servers.place)).url)
    await administrator.execute("ALTER ROLE CURRENT_USER SET log_statement = 'ddl'")
    async with _dead_letters(servers):
        taken = await taking.take(servers, folder / "whole", _watch)
    await administrator.execute("ALTER ROLE CURRENT_USER RESET log_statement")
    await administrator.close()
    return folder / "whole", taken


@asynccontextmanager
async def _dead_letters(servers: Instance) -> AsyncGenerator[None]:
    """One that a worker kept and one that nobody proves, both there while the block lasts."""
    body = use(str(uuid.uuid4()))
    async with Client.connected(servers.addresses.amqp) as client:
        queue = await client.dead()
        await queue.purge()
        await keep(servers.addresses.amqp_as(WORKER_LOGIN), body, login="chat")
        await keep(servers.addresses.amqp, body, login=WORKER_LOGIN)
        yield
        await there_are(client, 2)
        await queue.purge()


def _state(place: Place) -> State:
    kept = state.load(place.state)
    assert kept is not None
    return kept


def _watch(_step: str) -> None: ...


@asynccontextmanager
async def _started(place: Place, database: str, archive: Path) -> AsyncGenerator[asyncpg.Connection]:
    """The restored server alone, as a start would start it, archiving there, and a connection to it."""
    remembered = _state(place)
    program = await layout.private_postgres(
        Path(remembered.data), remembered, Settings(backup_wal_dir=archive)
    ).prepare()
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
    servers: Instance, backup: tuple[Path, Record], wal: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
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
    restored = await restoring.restore(place, wish, Settings(), _watch)
    assert restored.last is not None
    assert restored.last <= moment
    assert restored.gap is None
    letters_of_then = place.dead_letters.read_bytes()
    assert (taken.dead_letters, taken.dead_letters_left, letters_of_then.count(b"\n")) == (2, 0, 2)
    assert place.dead_letters.stat().st_mode & 0o777 == 0o600
    kept, known = _state(place), _state(servers.place)
    assert (kept.secrets, kept.partitions) == (known.secrets, PARTITIONS)
    with pytest.raises(LauncherError, match="another place with the same data"):
        async with _started(place, servers.addresses.database_name, wal):
            pass
    monkeypatch.setattr(archive, "SECONDS", 1)
    own = folder / "then-wal"
    async with _started(place, servers.addresses.database_name, own) as connection:
        apps = await connection.fetch("SELECT id FROM credits.apps WHERE id ~ '-the-' ORDER BY id")
        assert [row["id"] for row in apps] == ["before-the-backup", "before-the-moment"]
        assert await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname ~ '^mana_backup'") == 0
        held = await connection.fetch("SELECT due_at = 'infinity' AS held FROM credits.topup_rounds")
        assert [row["held"] for row in held] == [True, True]
        while not (own / "00000002.history").exists():
            await asyncio.sleep(0.05)
        # By time alone, and not only from the first checkpoint on, which would be minutes later.
        while len(list(own.glob("000000020*"))) < 2:
            await connection.execute("UPDATE credits.apps SET name = name")
            await asyncio.sleep(0.05)
    with pytest.raises(LauncherError, match="holds an instance"):
        await restoring.restore(place, wish, Settings(), _watch)
    shutil.rmtree(kept.data)


async def test_those_who_watch_learn_of_the_backup_and_of_wal_that_is_not_archived(
    servers: Instance, backup: tuple[Path, Record], wal: Path
) -> None:
    """By the relay's figures; the folder takes nothing for a while."""
    registry = CollectorRegistry()
    server = layout.remembered_postgres(_state(servers.place)).url
    administrator = await asyncpg.connect(urls.with_database(server, servers.addresses.database_name))
    noted = await administrator.fetch("SELECT ended_at, place FROM mana.backups")
    assert [row["place"] for row in noted] == [str(backup[0])]
    assert noted[0]["ended_at"] >= backup[1].ended
    async with Database.connected(servers.addresses.database_as("mana_relay"), 1, "relay") as relay:
        watching = Watching(relay, DatabaseMetrics(registry))

        async def tells(fails: float) -> None:
            await administrator.execute("SELECT pg_logical_emit_message(true, 'test', 'something to archive')")
            await administrator.execute("SELECT pg_switch_wal()")
            while registry.get_sample_value("mana_wal_archiving_fails") != fails:
                await watching.look()
                await asyncio.sleep(0.05)

        async with asyncio.timeout(30):
            await tells(0)
            wal.chmod(0o500)
            try:
                await tells(1)
            finally:
                wal.chmod(0o700)
            await tells(0)
    assert registry.get_sample_value("mana_backup_timestamp_seconds") == noted[0]["ended_at"].timestamp()
    assert (registry.get_sample_value("mana_wal_archived_timestamp_seconds") or 0) > noted[0]["ended_at"].timestamp()
    await administrator.close()


@pytest.mark.slow
async def test_a_place_comes_back_though_the_administrators_password_was_changed_since(
    servers: Instance, backup: tuple[Path, Record], folder: Path
) -> None:
    """By the WAL; the backup's own state knows the one of before."""
    known, database = layout.remembered_postgres(_state(servers.place)), servers.addresses.database_name
    await roles.change_password(known.url, database, ADMINISTRATOR, "another")
    try:
        owner = await asyncpg.connect(servers.addresses.database)
        await owner.execute(_ADD, "with-the-new-one")
        moment = await owner.fetchval("SELECT clock_timestamp()")
        await owner.execute(_ADD, "with-the-new-one-too-late")
        await owner.close()
    finally:
        await roles.change_password(replace(known, password="another").url, database, ADMINISTRATOR, known.password)
    await _archived(servers)
    place = Place(folder / "changed")
    await restoring.restore(place, restoring.Wish(backup[0], moment), Settings(), _watch)
    async with _started(place, database, folder / "changed-wal") as connection:
        apps = await connection.fetch("SELECT id FROM credits.apps WHERE id ~ '^with-'")
        assert [row["id"] for row in apps] == ["with-the-new-one"]
    shutil.rmtree(_state(place).data)


def test_no_statement_of_a_backups_holds_a_password(servers: Instance, backup: tuple[Path, Record]) -> None:
    said = (servers.place.logs / "postgres.log").read_text(encoding="utf-8")
    made = [line for line in said.splitlines() if "CREATE ROLE mana_backup_" in line]
    assert made
    assert all("PASSWORD 'SCRAM-SHA-256$" in line for line in made)


async def test_dead_letters_come_back_as_they_were(servers: Instance, backup: tuple[Path, Record], mana: Mana) -> None:
    """What was proven is so again, and what was not is not."""
    async with Client.connected(servers.addresses.amqp) as client:
        await there_are(client, 0)
        await letters.put_back(servers.addresses, backup[0] / record.LETTERS)
        await there_are(client, 2)
        shown = [(await mana("show", letter)).output for letter in ids(await mana("list"))]
        assert ["not proven" in one for one in shown] == [False, True]
        assert ["internal: by a test" in one for one in shown] == [True, True]
        await (await client.dead()).purge()


async def test_a_hole_in_the_archive_is_told(
    servers: Instance, backup: tuple[Path, Record], wal: Path, folder: Path
) -> None:
    source, _ = backup
    owner = await asyncpg.connect(servers.addresses.database)
    for name in ("before-the-hole", "in-the-hole", "behind-the-hole"):
        await owner.execute(_ADD, name)
        await _archived(servers)
    moment = await owner.fetchval("SELECT clock_timestamp()")
    await owner.close()
    holed = folder / "holed-wal"
    shutil.copytree(wal, holed)
    lost = sorted(holed.glob("0000000100*"))[-2]
    lost.unlink()
    with pytest.raises(LauncherError, match=f"recovery target was reached.*lacks …{lost.name[8:]}"):
        await restoring.restore(Place(folder / "no"), restoring.Wish(source, moment, holed), Settings(), _watch)
    restored = await restoring.restore(Place(folder / "holed"), restoring.Wish(source, wal=holed), Settings(), _watch)
    assert restored.gap == lost.name[8:]


async def test_why_a_backup_failed_is_told_though_its_session_is_gone(
    servers: Instance, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    administrator = await asyncpg.connect(layout.remembered_postgres(_state(servers.place)).url)

    async def fails(*_: object) -> None:
        ended = await administrator.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'CREATE ROLE mana_backup_%' AND pid <> pg_backend_pid()"
        )
        assert len(ended) == 1
        raise LauncherError("the disk is full")

    monkeypatch.setattr(taking, "_copy", fails)
    with pytest.raises(LauncherError, match="the disk is full"):
        await taking.take(servers, folder / "failed", _watch)
    await taking.forget_roles(administrator, everyone=True)
    await administrator.close()


async def test_migrating_makes_the_roles_that_the_version_before_did_not_know(
    servers: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of tomorrow: what the place remembers has no password for it."""
    become, tomorrow = list[str](), "mana_tomorrow"

    def note(module: str, _arguments: list[str], _env: dict[str, str]) -> None:
        become.append(module)

    kept = servers.place.state.read_bytes()
    for module in (state, roles):
        monkeypatch.setattr(module, "DATABASE_ROLES", (*DATABASE_ROLES, tomorrow))
    monkeypatch.setattr(running, "become", note)
    monkeypatch.setenv("MANA_HOME", str(servers.place.home))
    administrator = await asyncpg.connect(
        urls.with_database(layout.remembered_postgres(_state(servers.place)).url, servers.addresses.database_name)
    )
    try:
        await asyncio.to_thread(running.migrate)
        password = _state(servers.place).secrets.roles[tomorrow]
        url = urls.with_login(servers.addresses.database, tomorrow, password)
        await (await asyncpg.connect(url)).close()
        assert become == ["migrations"]
    finally:
        servers.place.state.write_bytes(kept)
        if await administrator.fetchval("SELECT to_regrole($1) IS NOT NULL", tomorrow):
            await administrator.execute(f"DROP OWNED BY {tomorrow}; DROP ROLE {tomorrow}")
        await administrator.close()


async def _archived(place: Instance) -> None:
    """Returns once all WAL of before is in the archive."""
    administrator = await asyncpg.connect(layout.remembered_postgres(_state(place.place)).url)
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
