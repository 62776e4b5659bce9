"""A checkout of one's own, whose code a test changes, and ./mana in it as a person runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from migrations import files
from ops.instance import UNHINDERED
from ops.ports import choose
from tests.e2e.starter import CHECKOUT, Starter

_NOT_COPIED = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "*.pyc")
_NEEDED = "SCHEMA_NEEDED: Final = "
_NEEDED_IN = Path("api", "fitness", "schema.py")
_KNOWN = "KNOWN: Final = "
_KNOWN_IN = Path("contracts", "schema.py")
TITLE = Path("api", "app.py")


@dataclass(frozen=True)
class Clone(Starter):
    """One checkout and one place; packages are those of this environment."""

    checkout: Path
    port: int

    @classmethod
    def of(cls, folder: Path) -> Clone:
        """A fresh copy of the checkout, with a history of one commit."""
        checkout = folder / "mana"
        shutil.copytree(CHECKOUT, checkout, ignore=_NOT_COPIED)
        for name in (".env.example", ".gitignore"):
            shutil.copy(CHECKOUT / name, checkout)
        made = cls(folder / "place", checkout, choose(None, ()))
        made.git("init", "-q")
        made.commit("the version of before")
        return made

    def git(self, *words: str) -> str:
        """A command of git's in the checkout."""
        told = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *words]
        return subprocess.run(told, cwd=self.checkout, capture_output=True, text=True, check=True).stdout

    def commit(self, message: str) -> str:
        """All that was changed; the commit's short name."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "--short", "HEAD").strip()

    def change(self, path: Path, before: str, after: str) -> None:
        """Another text in place of the one in a file."""
        text = (self.checkout / path).read_text(encoding="utf-8")
        assert before in text
        (self.checkout / path).write_text(text.replace(before, after), encoding="utf-8")

    def add_migration(self, phase: str, sql: str, *, needed: bool = True) -> int:
        """One more, which the front needs or only knows; its number."""
        folder = self.checkout / "migrations" / "sql"
        newest = max(migration.number for migration in files.read_all(folder))
        (folder / f"{newest + 1:04d}_of_the_test.sql").write_text(f"-- phase: {phase}\n{sql}\n", encoding="utf-8")
        self.change(_KNOWN_IN, f"{_KNOWN}{newest}", f"{_KNOWN}{newest + 1}")
        if needed:
            self.change(_NEEDED_IN, f"{_NEEDED}{newest}", f"{_NEEDED}{newest + 1}")
        return newest + 1

    def environment(self, **settings: str) -> dict[str, str]:
        return super().environment(PYTHONPATH=str(self.checkout), PORT=str(self.port), **UNHINDERED, **settings)

    def run(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        process = self.begin(*words, **settings)
        said, complaint = process.communicate(timeout=240)
        return subprocess.CompletedProcess(process.args, process.returncode, said, complaint)

    def begin(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "ops", *words],
            cwd=self.checkout,
            env=self.environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
