"""Looks for secrets in files, in all their forms at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.integration.canaries.secret import Secret

_PIECE_MIN: Final = 12
"""Bytes that do not occur by chance."""
_TRIES: Final = 3


@dataclass(frozen=True)
class Hit:
    """A secret that a file holds."""

    secret: Secret
    file: Path


def search(secrets: Iterable[Secret], places: Iterable[Path], folder: Path) -> list[Hit]:
    """Every secret in every file of the places, each once; ``folder`` is for what the search itself needs.

    ``grep`` looks for thousands of forms in one pass.
    """
    owners = {form: secret for secret in secrets for whole in secret.forms() if (form := _searchable(whole))}
    assert owners
    patterns = folder / "forms"
    patterns.write_bytes(b"\n".join(owners) + b"\n")
    words = ["grep", "--recursive", "--text", "--fixed-strings", "--only-matching", "--null", "--with-filename"]
    done = _searched([*words, f"--file={patterns}", "--", *map(str, places)])
    found = dict[Hit, None]()
    for line in done.stdout.splitlines():
        name, _, form = line.partition(b"\0")
        found[Hit(_owner(owners, form), Path(name.decode()))] = None
    return list(found)


def _searched(words: list[str]) -> subprocess.CompletedProcess[bytes]:
    """What was found; anew where all that went wrong is that files went away meanwhile, as servers' do."""
    problems = ""
    for _ in range(_TRIES):
        done = subprocess.run(words, capture_output=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
        if done.returncode in {0, 1}:
            return done
        problems = done.stderr.decode()
        assert all(line.endswith(": No such file or directory") for line in problems.splitlines()), problems
    raise AssertionError(problems)


def _searchable(form: bytes) -> bytes | None:
    """The longest part of it that stands in one line; ``None`` where that is too short to be told from chance."""
    longest = max(form.replace(b"\0", b"\n").replace(b"\r", b"\n").split(b"\n"), key=len)
    return longest if len(longest) >= _PIECE_MIN else None


def _owner(owners: dict[bytes, Secret], matched: bytes) -> Secret:
    return owners[matched]
