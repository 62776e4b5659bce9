"""The version before this one: its real code, as the repository's history has it."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final

from migrations import files
from ops.place import CHECKOUT
from ops.program import Program
from tests.faults.scenario import NotPlayedError

_MIGRATIONS: Final = "migrations/sql"


@dataclass(frozen=True)
class Version:
    """A commit's code in a folder, and the number of the migration that its schema ends with."""

    commit: str
    schema: int
    checkout: Path


@contextmanager
def oldest_that_survives(repository: Path = CHECKOUT) -> Generator[Version]:
    """The oldest version that no migration of today's has ended: the one that brought the last ``phase: contract``.

    Raises ``NotPlayedError`` where the history does not go back so far.
    """
    migrations = files.read_all(repository / _MIGRATIONS)
    last = max((one for one in migrations if one.phase == "contract"), key=lambda one: one.number)
    if _git(repository, "rev-parse", "--is-shallow-repository").strip() != b"false":
        raise NotPlayedError(
            "the version before is not here: this is a shallow clone, git fetch --unshallow completes it"
        )
    # A file that was renumbered counts as new under its number of today.
    brought = _git(
        repository, "log", "--no-renames", "--diff-filter=A", "--format=%H", "--", f"{_MIGRATIONS}/{last.label}.sql"
    ).split()
    if not brought:
        raise NotPlayedError(f"the version before is not here: no commit has brought {last.label}")
    commit = brought[0].decode()
    with tempfile.TemporaryDirectory(prefix="mana-before-") as name:
        with tarfile.open(fileobj=BytesIO(_git(repository, "archive", commit))) as archive:
            archive.extractall(name, filter="data")
        yield Version(commit, last.number, Path(name))


def run_from(checkout: Path | None, program: Program) -> Program:
    """The same program with another checkout's code; without one, as it is."""
    if checkout is None:
        return program
    return replace(program, cwd=checkout, env={**program.env, "PYTHONPATH": str(checkout)})


def _git(repository: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise NotPlayedError("the version before is not here: there is no git") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise NotPlayedError(f"the version before is not here: git says {said}") from error
