"""Goal: a benchmark starts as `./mana bench` starts it, with the checkout alone in its path."""

from __future__ import annotations

import subprocess
import sys

from ops.place import CHECKOUT


def test_the_clients_finds_the_client() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench", "client", "--help"],
        env={"PYTHONPATH": str(CHECKOUT)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--in-flight" in done.stdout
