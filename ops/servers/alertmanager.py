"""A private Alertmanager: hears of Prometheus what fires, and tells the people that the settings name."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ops import alerting, probes
from ops.errors import LauncherError
from ops.identity import Identity, give_file, own_folder
from ops.program import Program
from ops.settings import Settings

NAME = "alertmanager"
PROGRAM = "prometheus-alertmanager"
"""As Debian names it, and its package."""


def binary() -> str | None:
    """The installed one, None where there is none."""
    return shutil.which(PROGRAM, path="/usr/bin:/usr/local/bin")


@dataclass(frozen=True)
class Alertmanager:
    """One private server, alone: its folder and port, and the settings that name who is told."""

    folder: Path
    port: int
    settings: Settings

    @property
    def address(self) -> str:
        """Where Prometheus reaches it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its API, which amtool asks too."""
        return f"http://{self.address}"

    async def prepare(self) -> Program:
        """Write the configuration; say how to start it."""
        server = binary()
        if server is None:
            raise LauncherError(f"Alertmanager is not installed: install the package {PROGRAM}, then start again.")
        identity = Identity.of_server("prometheus")
        for folder in (self.folder, self.folder / "data"):
            own_folder(folder, identity)
        give_file(self.folder / "alertmanager.yml", alerting.text(self.settings), identity)
        return Program(
            name=NAME,
            argv=[
                server,
                f"--config.file={self.folder / 'alertmanager.yml'}",
                f"--storage.path={self.folder / 'data'}",
                f"--web.listen-address={self.address}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd=self.folder,
            probe=probes.http(f"{self.url}/-/ready"),
            url=self.url,
            identity=identity,
        )
