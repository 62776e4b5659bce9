"""`./mana test`: everything that must be true of a commit."""

import os
import subprocess
import sys
import time
from pathlib import Path

from rich.rule import Rule

from ops import packages, screen
from ops.errors import LauncherError
from ops.place import CHECKOUT

_PROGRAMS = Path(sys.executable).parent
# From the quickest to the slowest.
_BEFORE_TESTS = (
    ["ruff", "check"],
    ["ruff", "format", "--check"],
    ["lint-imports"],
    ["python", "-m", "contracts.schemas", "--check"],
    ["pyright"],
)


def run(pytest_arguments: list[str], *, everything: bool) -> int:
    """Run the checks and the tests, or the tests alone where arguments say which; the exit status.

    Every check runs, also after one that failed: a person wants to see all that is wrong.
    """
    if not (_PROGRAMS / "pytest").exists():
        raise LauncherError("The tests' packages are missing: run ./mana test, which installs them.")
    # For the shell client's test; a machine without apt goes on without it.
    packages.offer("curl", "curl", watch=lambda line: screen.progress.print(line, markup=False))
    chosen = [word for word in pytest_arguments if word != "--"]
    steps = [] if chosen else [*_BEFORE_TESTS]
    marks = [] if everything or chosen else ["-m", "not slow"]
    failed = [words[0] for words in (*steps, ["pytest", *marks, *chosen]) if not _passes(words)]
    if failed:
        screen.results.print(f"failed: {', '.join(failed)}", style="red")
    return 1 if failed else 0


def _passes(words: list[str]) -> bool:
    screen.results.print(Rule(" ".join(words), align="left"))
    began = time.monotonic()
    path = f"{_PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        [_PROGRAMS / words[0], *words[1:]], cwd=CHECKOUT, env={**os.environ, "PATH": path}, check=False
    )
    screen.results.print(f"{time.monotonic() - began:.1f} s", style="dim")
    return done.returncode == 0
