"""The servers' own tools at a running place: with its ports and logins, and no password on a command line."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn

from ops import layout, settings, state, urls
from ops.errors import LauncherError
from ops.instance import Instance
from ops.programs import surroundings
from ops.servers import postgres
from ops.state import DatabaseRole, State

RabbitTool = Literal["rabbitmqctl", "rabbitmq-diagnostics"]

# libpq's own options of an address that it reads from the environment too.
_PG_OPTIONS: Final = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "target_session_attrs")
_PG_PORT: Final = 5432
_REDIS_PORT: Final = 6379


@dataclass(frozen=True)
class Tool:
    """A program, and all that it is told; `folder` is where it runs, None: where we do."""

    argv: list[str]
    env: Mapping[str, str]
    folder: Path | None = None

    def become(self) -> NoReturn:
        """Become it: signals reach it, and its exit status is ours."""
        sys.stdout.flush()
        if self.folder is not None:
            os.chdir(self.folder)
        os.execvpe(self.argv[0], self.argv, self.env)  # noqa: S606 - no shell is what we want


def psql(there: Instance, role: DatabaseRole | None, words: list[str]) -> Tool:
    """PostgreSQL's shell at the place's database: as that role, else as its administrator. Raises LauncherError."""
    url = there.addresses.database_as(role) if role else _administrator(there)
    host, port = urls.address_of(url, _PG_PORT)
    user, password = urls.login_of(url)
    options = {f"PG{name.upper()}": value for name, value in urls.options_of(url).items() if name in _PG_OPTIONS}
    told = {
        "PGHOST": host,
        "PGPORT": str(port),
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": there.addresses.database_name,
        "PGAPPNAME": "mana-psql",
    }
    return Tool([_psql(), *words], {**surroundings(), **told, **options})


def rabbit(there: Instance, tool: RabbitTool, words: list[str]) -> Tool:
    """One of RabbitMQ's tools at the place's own node. Raises LauncherError where the node is somebody else's."""
    if not there.addresses.own_broker:
        raise LauncherError(f"The broker was given by AMQP_URL: {tool} is to be run where it runs.")
    node = layout.remembered_rabbitmq(there.data, _remembered(there))
    # Started in a folder that its user may not enter, Erlang's machine does not start.
    return Tool(node.tool(tool, *words), node.environment(), node.folder)


def redis_cli(there: Instance, words: list[str]) -> Tool:
    """Redis' shell at the place's server. Raises LauncherError."""
    program = shutil.which("redis-cli")
    if program is None:
        raise LauncherError("redis-cli is not installed: install the package redis-tools.")
    url = there.addresses.redis
    host, port = urls.address_of(url, _REDIS_PORT)
    user, password = urls.login_of(url)
    argv = [program, "-h", host, "-p", str(port), "-n", urls.database_of(url) or "0"]
    if user:
        argv += ["--user", user]
    if url.startswith("rediss://"):
        authorities = urls.options_of(url).get("ssl_ca_certs")
        argv += ["--tls", *(["--cacert", authorities] if authorities else [])]
    told = {"REDISCLI_AUTH": password} if password else {}
    return Tool([*argv, *words], {**surroundings(), **told})


def _administrator(there: Instance) -> str:
    if any(process.name == "postgres" for process in there.status.processes):
        return layout.remembered_postgres(_remembered(there)).url
    if given := settings.read().database_url:
        return given
    raise LauncherError(
        "PostgreSQL was given by DATABASE_URL, which is not set in this environment: export it as for ./mana up,"
        " or name a role, such as --role mana_owner."
    )


def _psql() -> str:
    """That of the newest server here, else whichever is installed."""
    folder = postgres.binaries()
    beside = folder / "psql" if folder else None
    program = str(beside) if beside and beside.exists() else shutil.which("psql")
    if program is None:
        raise LauncherError("psql is not installed: install the package postgresql-client.")
    return program


def _remembered(there: Instance) -> State:
    remembered = state.load(there.place.state)
    if remembered is None:
        raise LauncherError(f"{there.place.state} is missing: what logs in at the servers stands there.")
    return remembered
