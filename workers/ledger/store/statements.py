"""The statements, read from their files once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "sql"


def statement(name: str, folder: Path = _FOLDER) -> str:
    """The text of ``NAME.sql``: the ledger's, or of another store's folder."""
    return (folder / f"{name}.sql").read_text(encoding="utf-8")
