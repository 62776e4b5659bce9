"""Every statement finds its rows by an index, on tables that are large, and with the statistics of small ones."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest

from tests.integration.ledger.server import Database
from workers.ledger.store import statements
from workers.ledger.store.session import Session

GROWN = """
INSERT INTO credits.balances
SELECT md5('a' || n)::uuid, 0, 100, 100, 0, 1, false, now(), 'open', now() FROM generate_series(1, 20000) AS n;
INSERT INTO credits.lots (account_id, id, kind, free, granted, remaining, expires_at, created_at)
SELECT md5('a' || n % 20000 + 1)::uuid, md5('l' || n)::uuid, 'bonus', true, 100, n % 2 * 100,
    now() + n * interval '1 s', now()
FROM generate_series(1, 60000) AS n;
INSERT INTO credits.transactions
SELECT 0, n, md5('a' || n % 20000 + 1)::uuid, md5('t' || n)::uuid, n, 'bonus', 'completed', 1, 0, 1, NULL, 'system',
    'x', NULL, 'k' || n, NULL, '[]', NULL, NULL, 0, 1, 1, 0, now(), now()
FROM generate_series(1, 100000) AS n;
INSERT INTO credits.postings
SELECT 0, n, 1, md5('a' || n % 20000 + 1)::uuid, 'system:bonus', (md5('a' || n % 20000 + 1)::uuid)::text,
    md5('l' || n)::uuid, 1
FROM generate_series(1, 100000) AS n;
INSERT INTO credits.refusals
SELECT md5('a' || n)::uuid, 'k', '', 'x', 'x', '{}', now() FROM generate_series(1, 20000) AS n;
INSERT INTO credits.keys SELECT md5('a' || n)::uuid, 'k', '', 0, 0, 0, 0, now() FROM generate_series(1, 20000) AS n;
INSERT INTO credits.usage_stats SELECT md5('a' || n)::uuid, 'chat', now(), 1, 1 FROM generate_series(1, 20000) AS n;
"""

HOT = [
    "lock_partitions",
    "lock_balances",
    "read_state",
    "write_outcome",
    "write_answers",
    "write_marks",
    "read_journal",
    "read_expired",
    "prune_refusals",
]

# A walk along a whole index, whose rows are then filtered: the condition belongs to the scan itself.
_CONDITION_LESS = re.compile(r"Index (Only )?Scan using \S+ on (\S+)[^\n]*\n(?!\s+(Index Cond|Order By|Filter))")


@pytest.fixture(scope="module")
async def planner(shared: Database) -> AsyncGenerator[Session]:
    """A session with a worker's settings."""
    session = await Session.open(shared.admin, application_name="test", settings={"idle_session_timeout": "0"})
    yield session
    await session.close()


@pytest.fixture(scope="module")
async def young(planner: Session) -> dict[str, str]:
    """The plans as they are made while the tables are empty."""
    return {name: await _plan(planner, name) for name in HOT}


@pytest.fixture(scope="module")
async def grown(planner: Session, young: dict[str, str], shared: Database) -> dict[str, str]:
    """The plans with 100,000 transactions and their statistics."""
    connection = await asyncpg.connect(shared.admin)
    await connection.execute(GROWN)
    await connection.execute("ANALYZE")
    await connection.close()
    return {name: await _plan(planner, name) for name in HOT}


async def _plan(session: Session, name: str) -> str:
    sql = statements.statement(name)
    parameters = ", ".join(["NULL"] * max(int(number) for number in re.findall(r"\$(\d+)", sql)))
    async with session.transaction() as run:
        await run.run(f"PREPARE planned AS {sql}")
        lines = await run.fetch(f"EXPLAIN (COSTS OFF) EXECUTE planned ({parameters})")
        await run.run("DEALLOCATE planned")
    return "\n".join(line["QUERY PLAN"] for line in lines)


@pytest.mark.parametrize("age", ["young", "grown"])
@pytest.mark.parametrize("name", HOT)
async def test_rows_are_found_by_index(young: dict[str, str], grown: dict[str, str], name: str, age: str) -> None:
    plan = {"young": young, "grown": grown}[age][name]
    assert "Seq Scan" not in plan
    unconditional = [match[2] for match in _CONDITION_LESS.finditer(plan)]
    assert unconditional == [], plan
    assert "Hash Join" not in plan
    assert "Merge Join" not in plan


def test_every_file_is_a_statement_that_is_used() -> None:
    store = Path(statements.__file__).parent
    code = "".join(path.read_text() for path in store.glob("*.py"))
    assert {path.stem for path in (store / "sql").glob("*.sql")} == set(re.findall(r'statement\("(\w+)"\)', code))
