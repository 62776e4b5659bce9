"""A private Redis: a password, loopback only, append-only file."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ops import probes
from ops.errors import LauncherError
from ops.identity import Identity, give_file, own_folder
from ops.program import Program


def binary() -> str | None:
    """The installed redis-server, None where there is none."""
    return shutil.which("redis-server", path="/usr/bin:/usr/local/bin")


@dataclass(frozen=True)
class Redis:
    """One private server: its folder, port and password."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """With the password."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    async def prepare(self) -> Program:
        """Write the configuration; say how to start it."""
        server = binary()
        if server is None:
            raise LauncherError("Redis is not installed: install the package redis-server, then start again.")
        identity = Identity.of_server("redis")
        own_folder(self.folder, identity)
        configuration = self.folder / "redis.conf"
        give_file(configuration, self._configuration(), identity)
        return Program(
            name="redis",
            argv=[server, str(configuration)],
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd=self.folder,
            probe=probes.redis_server(self.url, configuration),
            url=f"redis://127.0.0.1:{self.port}",
            identity=identity,
        )

    def _configuration(self) -> str:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{self.folder}"',
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "pidfile": '""',
            "logfile": '""',
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())
