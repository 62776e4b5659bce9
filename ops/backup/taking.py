"""Copies a running place into a folder: its database with the WAL of meanwhile, its secrets, others' definitions."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec

from contracts.apps import app_login
from ops import layout, private_file, scram, state, urls
from ops.backup import archive, definitions, letters, record
from ops.backup.record import Record
from ops.errors import LauncherError
from ops.instance import Instance
from ops.management import Management
from ops.servers import postgres
from ops.state import State

_SECRETS = "SELECT app_id, id FROM auth.app_secrets"
_ROLE = "mana_backup_"
_PLACE_LENGTH_MAX = 1000
_ROLE_LIVES = "10 minutes"
"""As long as it may take to log in: what is logged in goes on."""

Watch = Callable[[str], None]


async def take(there: Instance, folder: Path, watch: Watch) -> Record:
    """A whole backup in an empty folder. Raises LauncherError; what is there then is no backup."""
    if not any(process.name == "postgres" for process in there.status.processes):
        raise LauncherError("The database of DATABASE_URL is not ours to copy: see docs/operations/keep.md.")
    record.empty_folder(folder)
    watch("copying secrets and definitions")
    remembered = _secrets(there, folder)
    server = layout.remembered_postgres(remembered).url
    administrator = await _connected(urls.with_database(server, there.addresses.database_name))
    try:
        await _definitions(there, administrator, folder)
        watch("copying dead letters")
        # Before the database: what is redriven meanwhile is in both, and a second time it answers as a replay.
        kept = await letters.save(there.addresses, folder / record.LETTERS)
        began = await _now(administrator)
        watch("copying the database")
        async with _replicating(administrator) as (role, password):
            await _copy(server, role, password, folder / record.BASE)
        taken = Record(
            began=began,
            ended=await _now(administrator),
            postgres=administrator.get_server_version().major,
            database=there.addresses.database_name,
            partitions=remembered.partitions or 0,
            wal_from=_first_segment(folder / record.BASE),
            wal_archive=await administrator.fetchval("SELECT current_setting($1, true)", archive.SETTING),
            dead_letters=kept.done,
            dead_letters_left=kept.left,
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LauncherError(f"PostgreSQL at {urls.where(server)} failed meanwhile ({error}): no backup.") from error
    finally:
        await administrator.close()
    record.write(folder, taken)
    await _note(urls.with_database(server, taken.database), folder)
    return taken


async def forget_roles(administrator: asyncpg.Connection, *, everyone: bool = False) -> None:
    """Drops the roles of backups that were killed: nobody can log in as them any more. `everyone`: whatever their time,
    where no backup can be under way."""
    for name in await administrator.fetch(
        "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1) AND ($2 OR rolvaliduntil < now())", _ROLE, everyone
    ):
        await administrator.execute(f'DROP ROLE IF EXISTS "{name["rolname"]}"')


def _secrets(there: Instance, folder: Path) -> State:
    remembered = state.load(there.place.state)
    if remembered is None:
        raise LauncherError(f"{there.place.state} is missing: without its secrets no backup can be used.")
    state.save(folder / record.STATE, State(data="", secrets=remembered.secrets, partitions=remembered.partitions))
    return remembered


async def _definitions(there: Instance, administrator: asyncpg.Connection, folder: Path) -> None:
    """Those of others, into the folder."""
    vhost = urls.vhost_of(there.addresses.amqp)
    async with Management.of(there.addresses.management, there.addresses.amqp) as broker:
        held = await broker.get("definitions")
    made = {there.addresses.administrator, *await _logins_of_apps(administrator)}
    others = definitions.of_others(held, vhost, made)
    private_file.write(folder / record.DEFINITIONS, msgspec.json.format(msgspec.json.encode(others)).decode() + "\n")


async def _logins_of_apps(administrator: asyncpg.Connection) -> list[str]:
    """None before there were apps: a backup is taken before the schema is migrated, too."""
    if not await administrator.fetchval("SELECT to_regclass('auth.app_secrets') IS NOT NULL"):
        return []
    return [app_login(row["app_id"], row["id"]) for row in await administrator.fetch(_SECRETS)]


async def _note(database: str, folder: Path) -> None:
    """In the database that was copied, for those who watch how old its last backup is. The version of before had no
    place for that."""
    administrator = await _connected(database)
    try:
        if await administrator.fetchval("SELECT to_regclass('mana.backups') IS NOT NULL"):
            await administrator.execute("INSERT INTO mana.backups (place) VALUES ($1)", str(folder)[:_PLACE_LENGTH_MAX])
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LauncherError(
            f"{folder} is a whole backup, which could not be noted in the database ({error})."
        ) from error
    finally:
        await administrator.close()


async def _connected(url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError) as error:
        raise LauncherError(f"PostgreSQL at {urls.where(url)} could not be reached ({error}).") from error


async def _now(connection: asyncpg.Connection) -> datetime:
    now: datetime | None = await connection.fetchval("SELECT clock_timestamp()")
    return now or datetime.now(UTC)


@contextlib.asynccontextmanager
async def _replicating(administrator: asyncpg.Connection) -> AsyncGenerator[tuple[str, str]]:
    """A role that may copy the server and nothing else, and only now; its name and password."""
    await forget_roles(administrator)
    role, password = f"{_ROLE}{secrets.token_hex(4)}", secrets.token_hex(24)
    until = await administrator.fetchval(f"SELECT (now() + interval '{_ROLE_LIVES}')::text")
    known = scram.record(role, password)
    await administrator.execute(
        f"CREATE ROLE {role} LOGIN REPLICATION PASSWORD '{known}' VALID UNTIL '{until}' CONNECTION LIMIT 2"
    )
    try:
        yield role, password
    finally:
        # Of a server that is gone: what was wrong is told by whoever noticed, and the next backup drops the role.
        # The library knows a session's end by several names: the last one where it comes between two statements.
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            await administrator.execute(f"DROP ROLE {role}")


async def _copy(url: str, role: str, password: str, target: Path) -> None:
    parts = urlsplit(url)
    process = await asyncio.create_subprocess_exec(
        *(str(postgres.program("pg_basebackup")), "--no-password", "--username", role),
        *("--host", parts.hostname or "127.0.0.1", "--port", str(parts.port or 5432)),
        *("--pgdata", str(target), "--format=tar", "--compress=client-gzip:1"),
        *("--wal-method=stream", "--checkpoint=fast", "--manifest-checksums=SHA256"),
        env={**postgres.ENVIRONMENT, "PGPASSWORD": password, "HOME": os.devnull},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        told = output.decode(errors="replace").strip().splitlines()[-1:]
        raise LauncherError(f"PostgreSQL could not be copied to {target}: {' '.join(told)}")


def _first_segment(base: Path) -> str:
    """By what the copy's manifest says of the WAL that it needs."""
    ranges = msgspec.json.decode((base / "backup_manifest").read_bytes())["WAL-Ranges"]
    first = ranges[0]
    high, _, low = first["Start-LSN"].partition("/")
    return f"{first['Timeline']:08X}{int(high, 16):08X}{int(low, 16) >> 24:08X}"
