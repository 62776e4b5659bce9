"""Under which mishaps an instance still starts and stops."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from ops import ports
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


def test_two_that_start_at_once_and_want_the_same_port_have_their_own(tmp_path: Path) -> None:
    """Each demo registers its user at its own front, and each place tells where that is."""
    starters = [Starter(tmp_path / "first"), Starter(tmp_path / "second")]
    wanted = {"PORT": str(ports.choose(None, ()))}
    try:
        starts = [starter.begin("up", "--detach", "--demo", "--partitions", "2", **wanted) for starter in starters]
        for start in starts:
            said, complaint = start.communicate(timeout=200)
            assert start.returncode == 0, complaint
            assert "spent by AMQP" in said
        fronts = [starter.env()["MANA_API_URL"] for starter in starters]
        assert len({httpx.URL(front).port for front in fronts}) == 2
        assert len({httpx.get(f"{front}/.well-known/jwks.json").text for front in fronts}) == 2
        for starter, front in zip(starters, fronts, strict=True):
            assert starter.processes()["api"]["url"] == front
            assert starter.processes()["api"]["restarts"] == 0
            assert front in starter.must("up", "--detach")
    finally:
        for starter in starters:
            starter.run("down", "--purge")
