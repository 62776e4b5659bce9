"""A private Prometheus on the same configuration and rules as the one in containers, for this instance's processes."""

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import yaml

from ops import probes
from ops.errors import LauncherError
from ops.identity import Identity, give_file, own_folder
from ops.place import CHECKOUT
from ops.program import Program

NAME = "prometheus"
FOLDER = CHECKOUT / "ops" / "prometheus"
_KEPT = "15d"
_PATIENCE_SECONDS = 3.0


def alerts_page(url: str) -> str:
    """Where people see its alerts. Debian builds it without the pages of today: its own are those of before."""
    with contextlib.suppress(httpx.HTTPError):
        if httpx.get(f"{url}/alerts", timeout=_PATIENCE_SECONDS, trust_env=False).is_client_error:
            return f"{url}/classic/alerts"
    return f"{url}/alerts"


def binary() -> str | None:
    """The installed prometheus, None where there is none."""
    return shutil.which("prometheus", path="/usr/bin:/usr/local/bin")


@dataclass(frozen=True)
class Target:
    """A page of metrics: the process's name, and where it is."""

    instance: str
    address: str


Targets = Mapping[str, list[Target]]
"""By job."""


def configuration(every: timedelta, alerts: str) -> dict[str, Any]:
    """Our configuration, with each job's targets in a file of its own; they are asked, and rules judged, so often.
    `alerts`: the address of the Alertmanager that is told."""
    interval = f"{every.total_seconds():.0f}s"
    told: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    told["global"] = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    told["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alerts]}]}]}
    for job in told["scrape_configs"]:
        job.pop("static_configs")  # the targets are others here
        job["file_sd_configs"] = [{"files": [f"targets/{job['job_name']}.json"], "refresh_interval": "1m"}]
    return told


@dataclass(frozen=True)
class Prometheus:
    """One private server: its folder and port, whom it asks, the address of its Alertmanager, and how often it asks."""

    folder: Path
    port: int
    targets: Targets
    alerts: str
    interval: timedelta = timedelta(seconds=15)

    @property
    def url(self) -> str:
        """Its page, and its API."""
        return f"http://127.0.0.1:{self.port}"

    async def prepare(self) -> Program:
        """Write configuration, rules and targets; say how to start it."""
        server = binary()
        if server is None:
            raise LauncherError("Prometheus is not installed: install the package prometheus, then start again.")
        identity = Identity.of_server("prometheus")
        for folder in (self.folder, self.folder / "rules", self.folder / "targets", self.folder / "data"):
            own_folder(folder, identity)
        self._write(identity)
        return Program(
            name=NAME,
            argv=[
                server,
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--storage.tsdb.retention.time={_KEPT}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd=self.folder,
            probe=probes.http(f"{self.url}/-/ready"),
            url=self.url,
            identity=identity,
        )

    def _write(self, identity: Identity) -> None:
        told = configuration(self.interval, self.alerts)
        give_file(self.folder / "prometheus.yml", yaml.safe_dump(told, sort_keys=False), identity)
        for rules in sorted((FOLDER / "rules").glob("*.yml")):
            give_file(self.folder / "rules" / rules.name, rules.read_text(encoding="utf-8"), identity)
        own = {NAME: [Target(NAME, f"127.0.0.1:{self.port}")], "alertmanager": [Target("alertmanager", self.alerts)]}
        asked = {**self.targets, **own}
        for job in told["scrape_configs"]:
            found = [
                {"targets": [one.address], "labels": {"instance": one.instance}}
                for one in asked.get(job["job_name"], [])
            ]
            give_file(
                self.folder / "targets" / f"{job['job_name']}.json", msgspec.json.encode(found).decode(), identity
            )
