"""A receiver of alerts on loopback, as a program of somebody's would be that Alertmanager tells by HTTP."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import yaml


@dataclass
class Hook:
    """What it was told, oldest first: each alert with its labels and its status, ``firing`` or ``resolved``."""

    url: str = ""
    alerts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def told(self, name: str) -> list[str]:
        """How that alert was, each time that it was told."""
        return [alert["status"] for alert in self.alerts if alert["labels"]["alertname"] == name]


@contextmanager
def hearing() -> Generator[Hook]:
    """Runs until the block ends."""
    hook = Hook()

    class Hearing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.alerts.extend(msgspec.json.decode(body)["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hearing) as server:
        hook.url = f"http://127.0.0.1:{server.server_address[1]}/"
        serving = Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield hook
        finally:
            server.shutdown()
            serving.join()


def make_impatient(file: Path) -> None:
    """Alertmanager's configuration in that file: it tells within a second, once it has read it."""
    told = yaml.safe_load(file.read_text(encoding="utf-8"))
    for route in (told["route"], *told["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}
    file.write_text(yaml.safe_dump(told), encoding="utf-8")
