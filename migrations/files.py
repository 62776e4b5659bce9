"""The migrations as files: ``sql/NNNN_name.sql``, each with a header of comments.

``-- phase: expand`` (running programs of before keep working) or ``-- phase: contract`` (they do not) is required.
``-- mana: no-transaction`` is for what PostgreSQL refuses inside one (CREATE INDEX CONCURRENTLY): such a file holds
one statement, and may be run again: an index that a broken-off run left unfinished is dropped before.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from migrations.errors import MigrationError

Phase = Literal["expand", "contract"]

FOLDER: Final = Path(__file__).parent / "sql"

_NAME: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_PHASE: Final = re.compile(r"^-- phase: (expand|contract)$", re.MULTILINE)
_NO_TRANSACTION: Final = re.compile(r"^-- mana: no-transaction$", re.MULTILINE)
_TRANSACTION_COMMAND: Final = re.compile(r"^\s*(begin|commit|rollback)\s*;", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One file: its place in the order, its text, and the SHA-256 of it in hexadecimal."""

    number: int
    name: str
    phase: Phase
    in_transaction: bool
    sha256: str
    sql: str

    @property
    def label(self) -> str:
        """The file's name without its ending."""
        return f"{self.number:04d}_{self.name}"


def read_all(folder: Path = FOLDER) -> list[Migration]:
    """All migrations of a folder, in order.

    Raises MigrationError for a name or header that does not fit, and for a number that is given twice.
    """
    migrations = sorted((_read(path) for path in folder.glob("*.sql")), key=lambda found: found.number)
    for earlier, later in itertools.pairwise(migrations):
        if earlier.number == later.number:
            raise MigrationError(f"{earlier.label} and {later.label} have the same number: rename one of them.")
    return migrations


def _read(path: Path) -> Migration:
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise MigrationError(f"{path.name} is not named NNNN_name.sql: rename it.")
    content = path.read_bytes()
    sql = content.decode()
    phase = _PHASE.search(sql)
    if phase is None:
        raise MigrationError(f"{path.name} says neither '-- phase: expand' nor '-- phase: contract': add the line.")
    in_transaction = _NO_TRANSACTION.search(sql) is None
    if in_transaction and _TRANSACTION_COMMAND.search(sql):
        raise MigrationError(f"{path.name} ends or begins a transaction itself: remove that, each file is one already.")
    return Migration(
        number=int(named["number"]),
        name=named["name"],
        phase="expand" if phase[1] == "expand" else "contract",
        in_transaction=in_transaction,
        sha256=hashlib.sha256(content).hexdigest(),
        sql=sql,
    )
