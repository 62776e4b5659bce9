"""Makes a place out of a backup: whole, or not at all."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import asyncpg

from ops import layout, lock, private_file, state, urls
from ops.backup import archive, record, taking
from ops.backup.record import Record
from ops.errors import LauncherError
from ops.identity import Identity, own_folder
from ops.place import Place
from ops.servers import postgres
from ops.servers.postgres import Postgres
from ops.settings import Settings

_LOOK_SECONDS = 0.1
_TO_THE_TIME = "../wal"
_TO_US = "FATAL:  the database system is"
"""What the server says to whoever asks before it is ready."""

AFTERWARDS = (
    "Automatic top-ups are held back until ./mana stripe reconcile has found nothing that differs. What is only a copy"
    " must be started without STRIPE_SECRET_KEY and SMTP_URL."
)
"""What to say to whoever has restored a place."""

Watch = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """`at`: the moment to go to, else the last that there is WAL of.

    `wal`: where the archived WAL lies; None: where the backup says, if anywhere.
    """

    backup: Path
    at: datetime | None = None
    wal: Path | None = None


class Restored(NamedTuple):
    """`last`: when the last transaction was, where that is known. `gap`: archived WAL lacks from this segment on."""

    last: datetime | None
    gap: str | None


async def restore(place: Place, wish: Wish, settings: Settings, watch: Watch) -> Restored:
    """A stopped place. Raises LauncherError: nothing is there then.

    The place must be empty: what runs in it, or lies there, stays as it is.
    """
    taken = record.read(wish.backup)
    wal = _wal(wish, taken)
    if settings.database_url:
        raise LauncherError("A backup is restored to a server of the place's own: leave DATABASE_URL out.")
    place.home.mkdir(mode=0o711, parents=True, exist_ok=True)
    with lock.held(place.lock):
        if place.state.exists():
            raise LauncherError(
                f"{place.home} holds an instance: name another place in MANA_HOME, or give this one up with"
                " ./mana down --purge."
            )
        kept = state.load(wish.backup / record.STATE)
        if kept is None:
            raise LauncherError(f"{wish.backup / record.STATE} is missing: without it nothing in the database opens.")
        kept.data, kept.mark = layout.first_state(place).data, state.new_mark()
        layout.find_room(kept, settings)
        try:
            server = layout.private_postgres(Path(kept.data), kept, settings)
            restored = await _database(server, wish, taken, wal, watch)
        except BaseException:
            shutil.rmtree(kept.data)
            raise
        private_file.write(place.definitions, (wish.backup / record.DEFINITIONS).read_text(encoding="utf-8"))
        if (wish.backup / record.LETTERS).exists():
            _keep(wish.backup / record.LETTERS, place.dead_letters)
        kept.wal_archive = None  # the other place's
        state.save(place.state, kept)
    return restored


def _wal(wish: Wish, taken: Record) -> Path | None:
    """Where to read WAL that is younger than the backup. Raises LauncherError where the time cannot be reached."""
    named = wish.wal or (Path(taken.wal_archive) if taken.wal_archive else None)
    if wish.at is None:
        return named if named is not None and named.is_dir() else None
    if named is None:
        raise LauncherError("The backup knows of no archived WAL: name it with --wal, or leave --at out.")
    if not named.is_dir():
        raise LauncherError(f"There is no folder {named} with archived WAL: name it with --wal.")
    if wish.at < taken.ended:
        raise LauncherError(
            f"The backup ended at {taken.ended:%Y-%m-%dT%H:%M:%SZ}, and an earlier time needs an earlier backup."
        )
    return named


async def _database(server: Postgres, wish: Wish, taken: Record, wal: Path | None, watch: Watch) -> Restored:
    identity = Identity.of_server("postgres")
    installed = postgres.binaries()
    if installed is None or installed.parent.name != str(taken.postgres):
        raise LauncherError(f"The backup is of PostgreSQL {taken.postgres}: install the package postgresql-15 of it.")
    own_folder(server.folder, identity)
    draft = own_folder(server.folder / "draft", identity)
    watch("copying the database back")
    base = wish.backup / record.BASE
    _unpack(base / "base.tar.gz", draft, identity)
    _unpack(base / "pg_wal.tar.gz", draft / "pg_wal", identity)
    _hand_over(base / "backup_manifest", draft / "backup_manifest", identity)
    watch("checking the copy")
    _run(identity.command([str(postgres.program("pg_verifybackup")), "--quiet", str(draft)]), server.folder)
    settings: dict[str, str] = {"archive_mode": "off"}
    gap = None
    if wal is not None:
        watch("copying archived WAL")
        arriving = own_folder(server.folder / "wal", identity)
        segments = archive.segments_from(wal, taken.wal_from)
        gap = archive.gap(segments)
        for segment in segments:
            _hand_over(segment, arriving / segment.name, identity)
        settings |= _recovery(wish.at)
        _hand_over(None, draft / "recovery.signal", identity)
    watch("going to the time asked for" if wish.at else "going to the end of the WAL")
    try:
        last = await _recovered(server, draft, settings, identity, taken.database)
    except LauncherError as refusal:
        raise LauncherError(f"{refusal}. Archived WAL lacks …{gap}." if gap else str(refusal)) from refusal
    _archive_histories(draft / "pg_wal", identity)
    shutil.rmtree(server.folder / "wal", ignore_errors=True)
    draft.rename(server.cluster)
    return Restored(last, gap)


def _recovery(at: datetime | None) -> dict[str, str]:
    settings = {"restore_command": f'cp "{_TO_THE_TIME}/%f" "%p"'}
    if at is not None:
        settings |= {"recovery_target_time": at.isoformat(), "recovery_target_action": "promote"}
    return settings


async def _recovered(
    server: Postgres, cluster: Path, settings: dict[str, str], identity: Identity, database: str
) -> datetime | None:
    """Starts the server, waits until it has become one that writes, and stops it in order."""
    url = urls.with_database(server.url, database)
    async with _running(server, cluster, settings, identity) as (process, log):
        if await _lets_us_in(server, cluster, identity, process, log):
            return await _made_ready(url)
    # Since the backup the administrator's password was changed, which the WAL brought back, and the state did not.
    server.set_password(cluster)
    async with _running(server, cluster, {"archive_mode": "off"}, identity) as (process, log):
        await _lets_us_in(server, cluster, identity, process, log)
        return await _made_ready(url)


async def _lets_us_in(
    server: Postgres, cluster: Path, identity: Identity, process: asyncio.subprocess.Process, log: Path
) -> bool:
    """Waits until it writes; whether the administrator's password is ours. Raises LauncherError where it ends."""
    while process.returncode is None:
        try:
            connection = await asyncpg.connect(server.url, timeout=5)
            try:
                if not await connection.fetchval("SELECT pg_is_in_recovery()"):
                    return True
            finally:
                await connection.close()
        except asyncpg.InvalidPasswordError:
            if postgres.control_data(cluster, identity, "Database cluster state") == "in production":
                return False
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass  # not yet
        await asyncio.sleep(_LOOK_SECONDS)
    raise LauncherError(f"PostgreSQL could not go there: {_last_word(log)}")


async def _made_ready(url: str) -> datetime | None:
    """When the last transaction was that came back, where the server has not been started again since."""
    try:
        connection = await asyncpg.connect(url)
        try:
            await taking.forget_roles(connection, everyone=True)
            await _hold_topups(connection)
            return await connection.fetchval("SELECT pg_last_xact_replay_timestamp()")
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LauncherError(f"What was restored could not be made ready ({error}).") from error


async def _hold_topups(connection: asyncpg.Connection) -> None:
    """Until somebody has compared with Stripe (./mana stripe reconcile): whose credits were low at the moment may have
    been charged since, or is by the place that was copied."""
    if await connection.fetchval("SELECT to_regclass('credits.topup_rounds') IS NOT NULL"):
        await connection.execute("UPDATE credits.topup_rounds SET due_at = 'infinity'")


def _archive_histories(wal: Path, identity: Identity) -> None:
    """Have the server archive them as soon as it archives: it did not while its timeline began, and a later restore
    needs them."""
    for history in wal.glob("*.history"):
        _hand_over(None, wal / "archive_status" / f"{history.name}.ready", identity)


@contextlib.asynccontextmanager
async def _running(
    server: Postgres, cluster: Path, settings: dict[str, str], identity: Identity
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, Path]]:
    log = server.folder.parent / "restore.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *identity.command(server.command(cluster, settings), death_signal="INT"),
            cwd=server.folder,
            env=postgres.ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process, log
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()
    log.unlink()


def _last_word(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    fatal = [line for line in lines if ("FATAL:" in line or "PANIC:" in line) and _TO_US not in line]
    return (fatal or lines or ["it said nothing"])[-1]


def _unpack(archived: Path, folder: Path, identity: Identity) -> None:
    """As the server's user, who can read no file of ours: so it is handed over open."""
    with archived.open("rb") as content:
        _run(identity.command(["tar", "--extract", "--gzip", "--directory", str(folder)]), folder.parent, content)


def _hand_over(source: Path | None, target: Path, identity: Identity) -> None:
    """A copy, or an empty file, of the server's own."""
    if source is None:
        target.touch()
    else:
        shutil.copyfile(source, target)
    target.chmod(0o600)
    identity.own(target)


def _keep(source: Path, target: Path) -> None:
    """A copy for its owner's eyes."""
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def _run(command: list[str], folder: Path, content: int | BinaryIO = subprocess.DEVNULL) -> None:
    done = subprocess.run(
        command, cwd=folder, env=postgres.ENVIRONMENT, stdin=content, capture_output=True, check=False
    )
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise LauncherError(f"The backup could not be read back: {' '.join(told)}")
