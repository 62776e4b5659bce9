"""Under which mishaps an instance still starts and stops."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.starter import CHECKOUT, Starter

pytestmark = pytest.mark.slow


def test_what_a_killed_supervisor_left_is_stopped_by_the_next_start(tmp_path: Path) -> None:
    starter = Starter(tmp_path / "home")
    try:
        starter.must("up", "--detach", "--servers-only", "--partitions", "2")
        before = starter.processes()
        os.kill(starter.supervisor(), signal.SIGKILL)
        starter.must("up", "--detach", "--servers-only")
        after = starter.processes()
        assert {entry["state"] for entry in after.values()} == {"ready"}
        for name, entry in before.items():
            assert after[name]["pid"] != entry["pid"]
            assert not Path(f"/proc/{entry['pid']}").exists()
    finally:
        starter.must("down", "--purge")


def test_in_the_foreground_sigterm_takes_everything_down(tmp_path: Path) -> None:
    starter = Starter(tmp_path / "home")
    command = [CHECKOUT / "mana", "up", "--servers-only", "--partitions", "2"]
    with subprocess.Popen(command, env=starter.environment(), cwd="/", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while b"Ctrl-C" not in process.stdout.readline():
            pass
        running = starter.processes()
        assert len(running) == 4
        began = time.monotonic()
        process.terminate()
        assert process.wait(60) == 0
        assert time.monotonic() - began < 30
    assert not any(Path(f"/proc/{entry['pid']}").exists() for entry in running.values())
    starter.must("down", "--purge")
