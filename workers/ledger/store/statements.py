"""The statements, read from their files once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "sql"


def statement(name: str) -> str:
    """The text of ``sql/NAME.sql``."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
