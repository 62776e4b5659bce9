"""A private PgBouncer before PostgreSQL: pools transactions, loopback only, SCRAM on both sides."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops import probes, scram, urls
from ops.errors import LauncherError
from ops.identity import Identity, give_file, own_folder
from ops.place import CHECKOUT
from ops.program import Program

NAME = "pgbouncer"
SHARED_CONFIGURATION = CHECKOUT / "ops" / "pgbouncer" / "pgbouncer.ini"


def binary() -> str | None:
    """The installed pgbouncer, None where there is none."""
    return shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")


def userlist(passwords: Mapping[str, str]) -> str:
    """The file of logins: PostgreSQL's own records, no password."""
    return "".join(f'"{role}" "{scram.record(role, password)}"\n' for role, password in passwords.items())


@dataclass(frozen=True)
class PgBouncer:
    """One private pooler: its folder and port, the server behind it, and who may come through.

    `server_url` names the database; `server_connections` bounds those to the server, the shared configuration's number
    where it is None.
    """

    folder: Path
    port: int
    server_url: str
    logins: Mapping[str, str]
    server_connections: int | None = None

    def url(self, role: str) -> str:
        """Through the pooler, as one of its logins."""
        database = urls.with_login(self.server_url, role, self.logins[role])
        return urls.with_address(database, f"127.0.0.1:{self.port}")

    async def prepare(self) -> Program:
        """Write the configuration; say how to start it."""
        server = binary()
        if server is None:
            raise LauncherError("PgBouncer is not installed: install the package pgbouncer, then start again.")
        identity = Identity.of_server("postgres")
        own_folder(self.folder, identity)
        configuration = self.folder / "pgbouncer.ini"
        give_file(self.folder / "userlist.txt", userlist(self.logins), identity)
        give_file(configuration, self.configuration(), identity)
        return Program(
            name=NAME,
            argv=[server, str(configuration)],
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd=self.folder,
            probe=probes.pooler(self.url(next(iter(self.logins)))),
            url=f"postgresql://127.0.0.1:{self.port}",
            identity=identity,
            stop_signal="INT",  # clients finish their transactions
        )

    def configuration(self) -> str:
        """The whole file: what all are told, and what this one is."""
        host, port = urls.address_of(self.server_url, 5432)
        settings: dict[str, object] = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_file": self.folder / "userlist.txt",
        }
        if self.server_connections is not None:
            settings["default_pool_size"] = self.server_connections
        options = urls.options_of(self.server_url)
        if "sslmode" in options:
            settings |= {"server_tls_sslmode": options["sslmode"]}
        if "sslrootcert" in options:
            settings |= {"server_tls_ca_file": options["sslrootcert"]}
        own = "".join(f"{name} = {value}\n" for name, value in settings.items())
        databases = f"[databases]\n{urls.database_of(self.server_url)} = host={host} port={port}\n"
        return f"{SHARED_CONFIGURATION.read_text(encoding='utf-8')}{own}\n{databases}"
