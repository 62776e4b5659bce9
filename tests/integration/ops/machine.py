"""A machine for ops/backup.sh and ops/restore.sh: its docker runs in a container's place what it is told."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.identity import Identity
from ops.place import CHECKOUT
from ops.servers import postgres
from tests.integration.ops.composing import WAL

_DOCKER = """#!/bin/sh
# compose exec -T postgres sh -c SCRIPT …, compose build …, compose run … --entrypoint sh postgres FILE …,
# compose up … postgres
set -eu
placed() {{
    sed 's#/run/secrets/postgres_password#{password}#; s#=mana #={database} #; s#/var/lib/postgresql/data#{data}#g
        s#{wal_there}#{wal}#g'
}}
cp -f secrets/postgres_password {password}
chmod 444 {password}
case "$*" in
    "compose exec "*) shift 6; script=$(printf '%s' "$1" | placed); shift; exec sh -c "$script" "$@" ;;
    "compose build "*) exit ;;
    "compose run "*) shift 8; script=$(placed < {checkout}/ops/postgres/$(basename "$1")); shift
        cd /; exec {user} sh -c "$script" sh "$@" ;;
    "compose up "*) exec {start} ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A folder with the checkout's scripts, a ``docker``, and where its container of PostgreSQL has data, archived WAL
    and port."""

    folder: Path
    server: postgres.Postgres
    data: Path
    wal: Path
    database: str

    @property
    def url(self) -> str:
        """The database, as its administrator by the server's password."""
        return f"{self.server.url.removesuffix('/postgres')}/{self.database}"

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

    def stop(self) -> None:
        """End its server, if it runs."""
        if (self.data / "postmaster.pid").exists():
            subprocess.run(self.command("--mode", "fast", "stop"), check=True)

    def command(self, *words: str) -> list[str]:
        """pg_ctl, as the server's user."""
        argv = [str(postgres.program("pg_ctl")), "--pgdata", str(self.data), "--wait", "--silent", *words]
        return Identity.of_server("postgres").command(argv)

    def lay_out(self, options: Sequence[str] = ()) -> None:
        """Make its ``docker``, whose PostgreSQL is started with these options besides its address."""
        here = ["-p", str(self.server.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        start = self.command("--log", str(self.data / "log"), "--options", shlex.join([*options, *here]), "start")
        docker = self.folder / "bin" / "docker"
        docker.parent.mkdir(parents=True)
        docker.write_text(
            _DOCKER.format(
                start=shlex.join(start),
                password=self.folder / "bin" / "postgres_password",
                data=self.data,
                wal_there=WAL,
                wal=self.wal,
                database=self.database,
                checkout=CHECKOUT,
                user=shlex.join(Identity.of_server("postgres").command([])),
            )
        )
        docker.chmod(0o755)
