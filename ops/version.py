"""Which version of the code something runs."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

_FOLDERS = ("api", "contracts", "migrations", "ops", "workers")
_LOCK = Path("ops", "lock", "runtime.txt")
_MADE = "__pycache__"
_SHOWN = 12


class Version(msgspec.Struct, frozen=True):
    """Two are the same where `digest` is: of all files that our processes are made of, and of the packages' lock.

    `commit` is for people, and empty where there is no git.
    """

    digest: str
    commit: str = ""

    def __str__(self) -> str:
        return f"{self.commit} ({self.digest[:_SHOWN]})" if self.commit else self.digest[:_SHOWN]


def of(checkout: Path) -> Version:
    """That of the files as they lie there now."""
    digest = hashlib.sha256()
    for path in sorted(_files(checkout)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(checkout)} {len(content)}\n".encode())
        digest.update(content)
    return Version(digest.hexdigest(), _commit(checkout))


def _files(checkout: Path) -> Iterator[Path]:
    yield checkout / _LOCK
    for folder in _FOLDERS:
        for path in (checkout / folder).rglob("*"):
            if path.is_file() and _MADE not in path.parts and not path.name.startswith("."):
                yield path


def _commit(checkout: Path) -> str:
    """The checkout's commit, with a sign where files differ from it."""
    try:
        described = subprocess.run(
            ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return described.stdout.strip()
