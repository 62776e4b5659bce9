"""Every invariant over the whole ledger, as it is at one moment: how many rows, how many breaches, and whose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from workers.ledger.store.session import Session, Statements

FOLDER: Final = Path(__file__).parent.parent / "audit_sql"
NAMED_AT_MOST: Final = 20

_HEADER: Final = re.compile(r"-- invariant: (?P<says>.+)\n-- counts: (?P<table>[a-z_.]+)\n(?P<sql>.+)", re.DOTALL)
SETTINGS: Final[Mapping[str, str]] = {
    # It reads everything once: the opposite of what a batch does.
    "enable_seqscan": "on",
    "enable_hashjoin": "on",
    "enable_mergejoin": "on",
    "plan_cache_mode": "auto",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


class Invariant(Struct, frozen=True):
    """What must hold: a sentence, the table whose rows are counted as looked at, and a query that finds breaches."""

    name: str
    says: str
    table: str
    sql: str


class Finding(Struct, frozen=True):
    """How an invariant fares: rows looked at, breaches, and the first of them, as (account, what is wrong)."""

    invariant: Invariant
    checked: int
    violations: int
    named: list[tuple[str, str]]


def invariants() -> list[Invariant]:
    """All of them, in the order of their files."""
    return [_read(path) for path in sorted(FOLDER.glob("*.sql"))]


def _read(path: Path) -> Invariant:
    found = _HEADER.fullmatch(path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{path.name} does not begin with its invariant and what it counts")
    return Invariant(path.stem[3:], found["says"], found["table"], found["sql"])


async def audit(url: str) -> list[Finding]:
    """Looks at the whole ledger as it is at one moment. Raises a ``Fault`` where it cannot be read."""
    session = await Session.open(url, application_name="mana-audit", settings=SETTINGS, answer_within_s=None)
    try:
        async with session.transaction() as run:
            await run.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return [await look(run, invariant) for invariant in invariants()]
    finally:
        await session.close()


async def look(run: Statements, invariant: Invariant) -> Finding:
    """How one invariant fares, as the transaction sees it."""
    checked = await run.fetch_value(f"SELECT count(*) FROM {invariant.table}")  # noqa: S608 - from our own files
    return await breaches(run, invariant, checked)


async def breaches(run: Statements | Session, invariant: Invariant, checked: int = 0) -> Finding:
    """The same where nobody wants to know how many rows were looked at: one statement, and so one moment."""
    found = await run.fetch(
        f"SELECT subject, detail, count(*) OVER () AS violations FROM ({invariant.sql}) AS violation"  # noqa: S608
        " ORDER BY subject, detail LIMIT $1",
        NAMED_AT_MOST,
    )
    violations = found[0]["violations"] if found else 0
    return Finding(invariant, checked, violations, [(row["subject"], row["detail"]) for row in found])
