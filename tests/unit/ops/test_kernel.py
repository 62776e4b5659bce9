from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import msgspec

from ops.kernel import ProcessId, working_in


def test_a_process_is_known_again_until_it_ends() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        known = ProcessId.of(process.pid)
        assert known is not None
        assert known.is_alive()
        known.send(signal.SIGKILL)
        process.wait()
        assert not known.is_alive()


def test_a_process_that_only_waits_to_be_reaped_is_gone() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ProcessId.of(process.pid) is None


def test_an_id_that_was_given_to_somebody_else_is_not_signalled() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        known = ProcessId.of(process.pid)
        assert known is not None
        earlier = msgspec.structs.replace(known, started=known.started - 1)
        other_boot = msgspec.structs.replace(known, boot="another")
        for stranger in (earlier, other_boot):
            stranger.send(signal.SIGKILL)
            assert not stranger.is_alive()
        assert process.poll() is None
        process.kill()


def test_who_works_in_a_folder_is_found_by_its_command(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with (
        subprocess.Popen(["sleep", "60"], cwd=tmp_path) as here,
        subprocess.Popen(["tail", "-f", "/dev/null"], cwd=tmp_path) as another,
        subprocess.Popen(["sleep", "60"], cwd=elsewhere) as there,
    ):
        assert [process.pid for process in working_in(tmp_path, "sleep")] == [here.pid]
        for process in (here, another, there):
            process.kill()
    assert working_in(tmp_path, "sleep") == []
