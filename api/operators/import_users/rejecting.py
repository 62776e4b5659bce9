"""The lines that became no users, with the reason, beside the file that they came from."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

_READABLE_BY_OWNER = 0o600


class Rejects:
    """Lines as JSON: ``{"line": 7, "reason": "…"}``. No value of the line is told: a hash may stand anywhere."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self.count = 0

    @classmethod
    @contextmanager
    def of(cls, file: Path) -> Generator[Rejects]:
        """``FILE.rejected.jsonl``, begun anew: an import that goes on judges the rejected lines again.

        Nobody but the operator may read it; without a line in it, it goes. Raises ``OSError``.
        """
        path = path_for(file)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _READABLE_BY_OWNER)
        with os.fdopen(descriptor, "wb") as output:
            rejects = cls(output)
            try:
                yield rejects
            finally:
                if rejects.count == 0:
                    path.unlink()

    def add(self, line: int, reason: str) -> None:
        """Writes one line down."""
        self.count += 1
        self._output.write(msgspec.json.encode({"line": line, "reason": reason}) + b"\n")


def path_for(file: Path) -> Path:
    """Where the rejected lines of a file stand."""
    return file.with_name(f"{file.name}.rejected.jsonl")
