"""`./mana test`: everything that must be true of a commit."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

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
)
_TYPES = ["pyright"]


_QUICK = ("-m", "not slow")
# The front's tests once more, through a pooler of transactions.
_POOLED = ["pytest", "--pgbouncer", *_QUICK, "-o", "cache_dir=.pytest_cache/pooled", "tests/integration/api"]


def _parts(chosen: Sequence[str]) -> list[list[str]]:
    """The tests and the types, to run side by side, since most of what tests do is to wait for servers.

    Each part has a cache of its own, and tells at its end what took long. `chosen`: options that choose among them.
    """

    def part(name: str, *where: str) -> list[str]:
        return ["pytest", *chosen, "--durations=15", "-o", f"cache_dir=.pytest_cache/{name}", *where]

    return [
        part("front", "tests/integration/api", "tests/stateful", "tests/payments", "tests/property"),
        part("integration", "--ignore=tests/integration/api", "tests/integration"),
        part(
            "others",
            *(f"--ignore=tests/{name}" for name in ("integration", "stateful", "payments", "property")),
            "tests",
        ),
        _TYPES,
    ]


def run_on_containers() -> int:
    """The integration tests on servers in containers; exit status 3 where no engine answers, and nothing was run."""
    return _start(["python", "-m", "tests.containers"]).wait()


def run(pytest_arguments: list[str], *, everything: bool) -> int:
    """Run the checks and the tests, or the tests alone where arguments say which; the exit status.

    Every check runs, also after one that failed: a person wants to see all that is wrong.
    """
    if not (_PROGRAMS / "pytest").exists():
        raise LauncherError("The tests' packages are missing: run ./mana test, which installs them.")
    # For the tests of the shell client and of the screen; a machine without apt goes on without them.
    for program in ("curl", "tmux"):
        packages.offer(program, program, watch=lambda line: screen.progress.print(line, markup=False))
    # A shell that starts it in the background has told it, and with it all whom tests interrupt, to hear no Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = [word for word in pytest_arguments if word != "--"]
    steps: list[Sequence[list[str]]] = [] if chosen else [[words] for words in _BEFORE_TESTS]
    if chosen:
        steps.append([["pytest", *chosen]])
    else:
        steps += [_parts(()), [_POOLED]] if everything else [_parts(_QUICK)]
    failed = [name for step in steps for name in _failures(step)]
    if failed:
        screen.results.print(f"failed: {', '.join(failed)}", style="red")
    return 1 if failed else 0


def _failures(together: Sequence[list[str]]) -> list[str]:
    """Run these side by side; answers which failed. The first is seen as it runs, the others when it has ended."""
    with ExitStack() as sinks:
        began = time.monotonic()
        seen, *others = together
        silent = [
            (words, sink := sinks.enter_context(tempfile.TemporaryFile()), _start(words, sink)) for words in others
        ]
        screen.results.print(Rule(" ".join(seen), align="left"))
        failed = [seen[0]] if _start(seen).wait() else []
        screen.results.print(f"{time.monotonic() - began:.1f} s", style="dim")
        for words, sink, process in silent:
            status = process.wait()
            screen.results.print(Rule(" ".join(words), align="left"))
            sink.seek(0)
            shutil.copyfileobj(sink, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            screen.results.print(f"{time.monotonic() - began:.1f} s", style="dim")
            failed += [words[0]] if status else []
    return failed


def _start(words: list[str], sink: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """One of the virtual environment's programs."""
    path = f"{_PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [str(_PROGRAMS / words[0]), *words[1:]]
    output = subprocess.STDOUT if sink else None
    return subprocess.Popen(command, cwd=CHECKOUT, env={**os.environ, "PATH": path}, stdout=sink, stderr=output)
