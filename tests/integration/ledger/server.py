"""A private PostgreSQL with Mana's roles, or the given one, and databases on it that live for one test."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from migrations.runner import Wish, migrate
from ops import ports, roles
from ops.servers.postgres import Postgres
from ops.state import DATABASE_ROLES, DatabaseRole
from tests.integration import given

PARTITIONS = 10
START_WITHIN_S = 30.0

_PASSWORDS: dict[str, str] = dict.fromkeys(DATABASE_ROLES, "test")
_numbers = count(1)


@dataclass(frozen=True)
class Database:
    """One database; ``url`` logs in to it as a role of Mana's, ``admin`` as the superuser."""

    name: str
    admin: str

    def url(self, role: DatabaseRole) -> str:
        """The address for one of our roles."""
        parts = urlsplit(self.admin)
        return urlunsplit(parts._replace(netloc=f"{role}:{_PASSWORDS[role]}@{parts.hostname}:{parts.port}"))


@dataclass
class Server:
    """A running server; databases are made from the template, which is migrated once."""

    admin: str
    template: str = field(default_factory=lambda: f"mana_template_{os.getpid()}")

    async def prepare(self) -> None:
        """The roles, and the migrated template."""
        await roles.establish(self.admin, self.template, _PASSWORDS, take_over=True)
        template = Database(self.template, _with_database(self.admin, self.template))
        await migrate(template.url("mana_owner"), Wish(partitions=PARTITIONS), lambda _line: None)

    @asynccontextmanager
    async def database(self, *, template: str | None = None) -> AsyncGenerator[Database]:
        """A database of its own, dropped at the end; a copy of the migrated one, or of ``template``."""
        name = f"mana_test_{os.getpid()}_{next(_numbers)}"
        admin = await asyncpg.connect(self.admin)
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template or self.template} OWNER mana_owner")
            await admin.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
            await admin.execute(f"GRANT CONNECT ON DATABASE {name} TO {', '.join(DATABASE_ROLES)}")
            await admin.execute(f"GRANT TEMPORARY ON DATABASE {name} TO mana_usage")
            yield Database(name, _with_database(self.admin, name))
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        finally:
            await admin.close()

    async def remove_template(self) -> None:
        """For a server that goes on without us."""
        admin = await asyncpg.connect(self.admin)
        try:
            await admin.execute(f"DROP DATABASE IF EXISTS {self.template} WITH (FORCE)")
        finally:
            await admin.close()


@asynccontextmanager
async def running_server(config: pytest.Config) -> AsyncGenerator[Server]:
    """The server that is given, or a private one that ends with us."""
    if there := given.named(config):
        server = Server(_with_database(there["DATABASE_URL"], "postgres"))
        await server.prepare()
        yield server
        await server.remove_template()
        return
    with tempfile.TemporaryDirectory(prefix="mana-ledger-") as folder:
        Path(folder).chmod(0o711)
        postgres = Postgres(Path(folder) / "postgres", ports.choose(None, set()), "administrator")
        process = await _start(postgres, Path(folder) / "log")
        try:
            server = Server(postgres.url)
            await server.prepare()
            yield server
        finally:
            process.send_signal(2)
            process.wait()


async def _start(postgres: Postgres, log: Path) -> subprocess.Popen[bytes]:
    program = await postgres.prepare()
    command = program.identity.command(program.argv, death_signal="INT")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=program.cwd, env=dict(program.env), stdout=output, stderr=output, start_new_session=True
        )
    until = time.monotonic() + START_WITHIN_S
    while not await program.probe():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}")
        await asyncio.sleep(0.1)
    return process


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
