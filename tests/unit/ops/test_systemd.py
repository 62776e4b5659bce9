"""ops/systemd/mana.service: systemd finds no fault with it, and it gives ./mana the time that it needs."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from ops.place import CHECKOUT

UNIT = CHECKOUT / "ops" / "systemd" / "mana.service"


def _service() -> configparser.SectionProxy:
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.read(UNIT, encoding="utf-8")
    return read["Service"]


def test_systemd_finds_no_fault_with_it(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    told = UNIT.read_text(encoding="utf-8").replace("/opt/mana", str(CHECKOUT))
    (tmp_path / "mana.service").write_text(told, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "mana.service")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "mana.service" not in done.stderr


def test_the_launcher_takes_everything_down_itself() -> None:
    """In order: systemd tells it alone, and waits for longer than the launcher lets a supervisor take."""
    service = _service()
    assert service["ExecStart"].split()[:2] == ["/opt/mana/mana", "up"]
    assert "--detach" not in service["ExecStart"]
    assert (service["KillMode"], service["Restart"]) == ("mixed", "on-failure")
    assert int(service["TimeoutStopSec"]) > 120
