"""`.mana/env` says the same to a shell and to us, whatever signs an address has."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ops import envfile

NASTY = {
    "AMPERSAND": "postgresql://u:p@h/d?sslmode=require&sslrootcert=/a b/ca.pem",
    "HASH": "amqp://u:p#q@h/ # no comment",
    "DOLLAR": "redis://:$HOME$(id)`id`@h/0",
    "QUOTES": """it's "both" \\ and a back\\slash\\""",
    "LINES": "one\ntwo=2\n",
    "STAR": "*; exit 1 | < > ~ ! {a,b}",
    "UMLAUT": "ä€",
    "EMPTY": "",
    "PLAIN": "http://127.0.0.1:3001",
}


def test_a_shell_reads_what_was_written(tmp_path: Path) -> None:
    """As README.md has it: exported, and seen by the next program."""
    path = tmp_path / "env"
    envfile.write(path, NASTY)
    done = subprocess.run(
        ["sh", "-euc", "set -a; . ./env; set +a; exec env -0"], cwd=tmp_path, capture_output=True, check=True, env={}
    )
    seen = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
    assert {name: seen[name] for name in NASTY} == NASTY
    assert done.stderr == b""


def test_we_read_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "env"
    envfile.write(path, NASTY)
    assert envfile.read(path) == NASTY
    assert "PLAIN=http://127.0.0.1:3001\n" in path.read_text(), "plain addresses stay readable"
