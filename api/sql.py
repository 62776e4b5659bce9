"""Loads SQL: one statement per file, the file's name is the statement's."""

from __future__ import annotations

from pathlib import Path


class Statements:
    """The statements of one folder, read once at import: ``statements["end_session"]``."""

    def __init__(self, folder: Path) -> None:
        self._texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql"))}

    def __getitem__(self, name: str) -> str:
        return self._texts[name]
