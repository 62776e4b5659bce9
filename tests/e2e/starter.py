"""./mana as a person runs it: by subprocess, in a place of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Starter:
    """One place, and ``./mana`` in it."""

    home: Path

    def environment(self, **settings: str) -> dict[str, str]:
        """What ``./mana`` is started with."""
        return {**os.environ, "MANA_HOME": str(self.home), **settings}

    def run(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; whatever its exit status."""
        return subprocess.run(
            [CHECKOUT / "mana", *words],
            cwd=CHECKOUT,
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def begin(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        """Start a command, and do not wait for it."""
        return subprocess.Popen(
            [CHECKOUT / "mana", *words],
            cwd=CHECKOUT,
            env=self.environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def must(self, *words: str, **settings: str) -> str:
        """Run a command that must succeed; its standard output."""
        done = self.run(*words, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def processes(self) -> dict[str, dict[str, Any]]:
        """``./mana status --json`` by name."""
        return {entry["name"]: entry for entry in json.loads(self.must("status", "--json"))}

    def env(self) -> dict[str, str]:
        """``.mana/env``."""
        return dict(word.split("=", 1) for word in shlex.split((self.home / "env").read_text()))

    def supervisor(self) -> int:
        """Its process id."""
        return int(json.loads((self.home / "status.json").read_bytes())["supervisor"]["pid"])

    def secrets(self) -> dict[str, Any]:
        """What it keeps for itself."""
        return json.loads((self.home / "state.json").read_bytes())["secrets"]
