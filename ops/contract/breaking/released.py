"""Compares a checkout's contract with that of its last release, the nearest tag `v…`."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.contract.breaking import rest, schemas
from ops.contract.breaking.schemas import Break, Json
from ops.errors import LauncherError

SCHEMAS: Final = "contracts/schemas"
OPENAPI: Final = "docs/contract/openapi.json"
_RECEIVED: Final = ("event.", "credits.result.", "error-codes.")
"""How the names of schemas of what clients receive begin; the others are of commands."""


@dataclass(frozen=True)
class FileBreak:
    """A break, and the file that it is in."""

    file: str
    found: Break

    def __str__(self) -> str:
        return f"{self.file}#{self.found.pointer}: {self.found.why}"


def last_release(checkout: Path) -> str | None:
    """The nearest tag `v…` that the checkout descends from; `None` where there is none yet."""
    if not _git(checkout, "tag", "--list", "v*", "--merged", "HEAD").strip():
        return None
    return _git(checkout, "describe", "--tags", "--match", "v*", "--abbrev=0").strip()


def breaks(checkout: Path, tag: str) -> list[FileBreak]:
    """What the checkout's files break of those at the tag."""
    listed = _git(checkout, "ls-tree", "-r", "--name-only", "-z", tag, "--", SCHEMAS, OPENAPI).split("\0")
    names = [name for name in listed if name.endswith(".json")]
    return [FileBreak(name, found) for name in names for found in _of_file(checkout, tag, name)]


def _of_file(checkout: Path, tag: str, name: str) -> list[Break]:
    if not (checkout / name).exists():
        return [Break("", "the file is gone, and with it what it describes")]
    old: Json = json.loads(_git(checkout, "show", f"{tag}:{name}"))
    new: Json = json.loads((checkout / name).read_text())
    if name == OPENAPI:
        return rest.breaks(old, new)
    received = Path(name).name.startswith(_RECEIVED)
    return schemas.breaks(old, new, "received" if received else "sent")


def _git(checkout: Path, *words: str) -> str:
    # A container's user is often not the owner of the checkout that it is given.
    command = ["git", "-c", f"safe.directory={checkout.resolve()}", "-C", str(checkout), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LauncherError(f"git {words[0]} in {checkout} failed: {done.stderr.strip()}")
    return done.stdout
