"""How PostgreSQL runs the ledger's statements: tables made large at one stroke, and plans as a worker gets them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from workers.ledger.store import statements
from workers.ledger.store.session import Session

_TABLES: Final = (
    *("balances", "lots", "transactions", "postings", "refusals", "keys", "suspensions"),
    "purchases",
)

# $1 partitions, $2 accounts, $3 transactions with a posting each; three lots for an account, the third used up.
_ROWS: Final = """
INSERT INTO credits.balances
SELECT md5('a' || n)::uuid, 0, 100, 100, 0, 1, false, now(), 'open', now() FROM generate_series(0, $2 - 1) AS n;
INSERT INTO credits.lots (account_id, id, kind, free, granted, remaining, expires_at, created_at)
SELECT md5('a' || n % $2)::uuid, md5('l' || n)::uuid, 'bonus', true, 100, CASE WHEN n < 2 * $2 THEN 100 ELSE 0 END,
    now() + n * interval '1 s', now()
FROM generate_series(0, 3 * $2 - 1) AS n;
INSERT INTO credits.transactions
SELECT n % $1, n / $1 + 1, md5('a' || n % $2)::uuid, md5('t' || n)::uuid, n / $2 + 1, 'refund', 'completed', 1, 0, 1,
    NULL, 'system', 'x', NULL, 'k' || n, md5('u' || n)::uuid, '[]', NULL, NULL, 0, 1, 1, 0, now(), now()
FROM generate_series(0, $3 - 1) AS n;
INSERT INTO credits.postings
SELECT n % $1, n / $1 + 1, 1, md5('a' || n % $2)::uuid, 'system:bonus', (md5('a' || n % $2)::uuid)::text,
    md5('l' || n)::uuid, 1
FROM generate_series(0, $3 - 1) AS n;
INSERT INTO credits.refusals
SELECT md5('a' || n)::uuid, 'k', '', CASE n % 4 WHEN 0 THEN 'overloaded' ELSE 'x' END, 'x', '{}',
    now() - n * interval '1 s'
FROM generate_series(0, $2 - 1) AS n;
INSERT INTO credits.keys SELECT md5('a' || n)::uuid, 'k', '', 0, 0, 0, 0, now() FROM generate_series(0, $2 - 1) AS n;
INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status, created_at)
SELECT md5('a' || n % $2)::uuid, md5('l' || n)::uuid, 'credits-500', 500, 500, 500, 'pending', now()
FROM generate_series(0, 2 * $2 - 1) AS n;
INSERT INTO credits.suspensions SELECT md5('a' || n)::uuid, 'banned', now() FROM generate_series(0, $2 - 1) AS n;
"""

_CONSTRAINTS: Final = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS away,
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS back
FROM pg_constraint
WHERE conrelid = ANY($1::regclass[]) AND contype IN ('p', 'u')
"""
_INDEXES: Final = """
SELECT format('DROP INDEX %s', indexrelid::regclass) AS away, pg_get_indexdef(indexrelid) AS back
FROM pg_index
WHERE indrelid = ANY($1::regclass[]) AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)
"""
# What an empty table that was analysed looks like; building an index counts the table's rows.
_FORGET: Final = "UPDATE pg_class SET reltuples = 0, relpages = 0 WHERE oid = ANY($1::regclass[])"


async def grow(admin: str, *, partitions: int, accounts: int, transactions: int) -> None:
    """Fills the ledger's empty tables, whose statistics stay those of empty ones.

    Indexes are taken away meanwhile, as for any bulk load: to build one is many times cheaper than to keep it.
    """
    tables = [f"credits.{table}" for table in _TABLES]
    sizes = {"$1": partitions, "$2": accounts, "$3": transactions}
    settings = {"synchronous_commit": "off", "maintenance_work_mem": "256MB"}
    connection = await asyncpg.connect(admin, server_settings=settings)
    try:
        await connection.execute("ANALYZE")
        for table in tables:
            await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        kept = [*await connection.fetch(_CONSTRAINTS, tables), *await connection.fetch(_INDEXES, tables)]
        for each in kept:
            await connection.execute(each["away"])
        await connection.execute(re.sub(r"\$\d", lambda found: str(sizes[found[0]]), _ROWS))
        for each in kept:
            await connection.execute(each["back"])
        await connection.execute(_FORGET, tables)
    finally:
        await connection.close()


async def analyse(admin: str) -> None:
    """Brings the statistics up to date."""
    connection = await asyncpg.connect(admin)
    await connection.execute("ANALYZE")
    await connection.close()


_CONDITIONS: Final = ("Index Cond", "Recheck Cond", "Filter")


@dataclass(frozen=True)
class Plan:
    """A plan's steps, and for each index that it searches the conditions that it searches by, from the outside in.

    ``reads``: for each table that it looks at, by which conditions, those of the index and all others.
    """

    steps: Sequence[str]
    searches: Sequence[tuple[str, str]]
    reads: Sequence[tuple[str, str]]
    text: str


async def plan(session: Session, name: str) -> Plan:
    """The plan of a statement as this session makes it now, for any arguments."""
    sql = statements.statement(name)
    count = max(map(int, re.findall(r"\$(\d+)", sql)), default=0)
    parameters = f"({', '.join(['NULL'] * count)})" if count else ""
    async with session.transaction() as run:
        await run.run(f"PREPARE planned AS {sql}")
        told = await run.fetch_value(f"EXPLAIN (COSTS OFF, FORMAT JSON) EXECUTE planned {parameters}")
        lines = await run.fetch(f"EXPLAIN (COSTS OFF) EXECUTE planned {parameters}")
        await run.run("DEALLOCATE planned")
    nodes = list(_nodes(json.loads(told)[0]["Plan"]))
    return Plan(
        steps=[node["Node Type"] for node in nodes],
        searches=[(node["Index Name"], node.get("Index Cond", "")) for node in nodes if "Index Name" in node],
        reads=[
            (node["Relation Name"], " AND ".join(node[kind] for kind in _CONDITIONS if kind in node))
            for node in nodes
            if "Relation Name" in node and node["Node Type"] != "ModifyTable"
        ],
        text="\n".join(line["QUERY PLAN"] for line in lines),
    )


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)
