"""A real terminal that nobody sits at: tmux."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Terminal:
    """``server`` is a tmux of its own."""

    server: str

    @property
    def screen(self) -> str:
        """What is to be seen now."""
        return self._tmux("capture-pane", "-p")

    def press(self, keys: str) -> None:
        """As a person would."""
        self._tmux("send-keys", keys)

    async def shows(self, *texts: str) -> str:
        """Returns the screen once all of these stand on it."""
        for _ in range(int(_PATIENCE_SECONDS / 0.1)):
            seen = self.screen
            if all(text in seen for text in texts):
                return seen
            await asyncio.sleep(0.1)
        raise AssertionError(f"{texts} are not to be seen together:\n{self.screen}")

    def _tmux(self, *words: str) -> str:
        return subprocess.check_output(["tmux", "-L", self.server, *words], text=True)


@contextmanager
def terminal(
    program: Sequence[str], environment: dict[str, str], *, columns: int = 130, lines: int = 60
) -> Generator[Terminal]:
    """Runs a program in a terminal, and shows its exit status behind it: ``ended 0``."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    server = f"mana-{os.getpid()}-{secrets.token_hex(4)}"
    shown = f"{shlex.join(program)}; echo ended $?; read _"
    size = ["-x", str(columns), "-y", str(lines)]
    subprocess.run(
        ["tmux", "-L", server, "-f", "/dev/null", "new-session", "-d", *size, "sh", "-c", shown],
        env={**os.environ, **environment},
        check=True,
    )
    try:
        yield Terminal(server)
    finally:
        subprocess.run(["tmux", "-L", server, "kill-server"], check=False)
