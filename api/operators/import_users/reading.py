"""A file of users as its lines: JSON objects one a line, or CSV with names in its first line. Says nothing of them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

Format: TypeAlias = Literal["jsonl", "csv"]
LINE_BYTES_MAX: Final = 64 * 1024
_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True)
class Line:
    """One record: the number of its first line in the file, and its fields, or why there are none.

    ``typed`` is false where every value is text.
    """

    number: int
    fields: Mapping[str, Any]
    problem: str | None = None
    typed: bool = True


class NoUsersFile(Exception):  # noqa: N818 - says what the file is
    """The file as a whole cannot be meant."""


def hash_of(path: Path) -> bytes:
    """What the file is known by when it is imported again. Raises ``OSError``."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def read(path: Path, form: Format) -> Iterator[Line]:
    """The records, one after the other; empty lines are none. Raises ``NoUsersFile``, and ``OSError``."""
    return _json_lines(path) if form == "jsonl" else _csv(path)


def _json_lines(path: Path) -> Generator[Line]:
    with path.open("rb") as content:
        for number, line in enumerate(content, start=1):
            if line.strip():
                yield _json_line(number, line)


def _json_line(number: int, line: bytes) -> Line:
    if len(line) > LINE_BYTES_MAX:
        return Line(number, {}, "is too long")
    try:
        return Line(number, _OBJECT.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Line(number, {}, "is no JSON object in UTF-8")


def _csv(path: Path) -> Generator[Line]:
    # What is not UTF-8 comes as lone surrogates, which are complained of where they stand.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as content:
        rows = csv.reader(content, strict=True)
        names = _names(rows)
        while True:
            number = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(number, {}, f"is not CSV: {error}")
                continue
            if row:
                yield _csv_line(number, names, row)


def _names(rows: Iterator[list[str]]) -> list[str]:
    try:
        names = [name.strip().lower() for name in next(rows)]
    except (StopIteration, csv.Error) as error:
        raise NoUsersFile("its first line does not name the columns") from error
    if "email" not in names or len(set(names)) < len(names):
        raise NoUsersFile("its first line must name the columns, email among them, each once")
    return names


def _csv_line(number: int, names: list[str], row: list[str]) -> Line:
    if len(row) != len(names):
        return Line(number, {}, f"has {len(row)} columns, not {len(names)}")
    return Line(number, {name: value for name, value in zip(names, row, strict=True) if value}, typed=False)
