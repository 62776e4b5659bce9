"""A trace of LLM requests: when each came, and what it costs in credits."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from contracts.fields import AMOUNT_MAX

COLUMNS: Final = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
TOKENS_PER_CREDIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """One line: its number in the file (the header is line 1), seconds since the first one, its price in credits."""

    line: int
    at: float
    credits: int


def price(context: int, generated: int) -> int:
    """One credit for each started 1,000 tokens, both kinds together."""
    return -(-(context + generated) // TOKENS_PER_CREDIT)


def read(path: Path) -> list[Request]:
    """The requests of a CSV file. Raises ``BenchError`` where it is none, naming the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return parse(lines, path.name)
    except OSError as error:
        raise BenchError(f"The trace {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BenchError(f"The trace {path} is not text in UTF-8.") from error


def parse(lines: Iterable[str], name: str) -> list[Request]:
    """The requests of CSV text. Raises ``BenchError`` where it is none, naming the line."""
    reader = csv.reader(lines)
    try:
        _check_header(next(reader, []), name)
        requests = list(_requests(reader, name))
    except csv.Error as error:
        raise BenchError(f"Line {reader.line_num} of {name} is not CSV: {error}.") from error
    if not requests:
        raise BenchError(f"The trace {name} holds no request.")
    return requests


def _check_header(header: list[str], name: str) -> None:
    if tuple(column.strip() for column in header) != COLUMNS:
        raise BenchError(f"The trace {name} must begin with the line {','.join(COLUMNS)}.")


def _requests(reader: Iterator[list[str]], name: str) -> Iterator[Request]:
    first: datetime | None = None
    for line, row in enumerate(reader, start=2):
        if not row:  # an empty line, such as many editors leave at the end
            continue
        try:
            moment, context, generated = _fields(row)
            first = first or moment
            at = (moment - first).total_seconds()
        except (ValueError, TypeError) as error:
            raise BenchError(f"Line {line} of {name} is no request: {error}.") from error
        yield Request(line, max(at, 0.0), price(context, generated))


def _fields(row: list[str]) -> tuple[datetime, int, int]:
    """Raises ``ValueError`` with what is wrong."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"it has {len(row)} columns, not {len(COLUMNS)}")
    moment, context, generated = datetime.fromisoformat(row[0].strip()), int(row[1]), int(row[2])
    if context < 0 or generated < 0:
        raise ValueError("it has less than no tokens")
    if not 1 <= price(context, generated) <= AMOUNT_MAX:
        raise ValueError(f"its {context + generated} tokens are no amount that can be charged")
    return moment, context, generated
