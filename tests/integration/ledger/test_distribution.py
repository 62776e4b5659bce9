"""What spreading the ledger over machines by the account asks of its keys and statements (docs/operations/scale.md).

Citus distributes a table by one column. Each unique key must hold that column, and a statement reaches one machine only
where it names it. Every table of the schema ``credits`` has its place below, so a new one needs a decision here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from ops.place import CHECKOUT
from tests.integration.ledger.plans import plan
from tests.integration.ledger.server import Database
from workers.ledger.store import statements
from workers.ledger.store.session import Session

DISTRIBUTED: Final = frozenset(
    {"balances", "lots", "transactions", "postings", "keys", "refusals", "suspensions"}
    | {"usage_stats", "usage_progress", "purchases", "customers", "topups"}
)
REFERENCE: Final = {
    "packages": "purchases refer to it; some rows, changed by hand",
    "package_prices": "the same, by currency",
    "apps": "read whole by each worker; announces its changes, so the coordinator keeps it",
}
LOCAL: Final = {
    "partitions": "fence, positions and marks of a partition, which holds many accounts",
    "workers": "who lives, beside advisory locks, which are one server's",
    "usage_reader": "one row: the reader's place in the stream",
    "stripe_events": "by Stripe's id; whose it is, is known only once it was read",
    "reconciliations": "of the whole",
    "late_payments": "by purchase; of users who are gone",
    "forgotten_customers": "by Stripe's customer; whose they were is known to nobody",
    "topup_rounds": "one row for each mode",
    "topup_stops": "a queue of its own, by its own id",
    "topup_payments": "by purchase: what Stripe was asked for",
}
KEYS_WITHOUT_ACCOUNT: Final = {
    "purchases_one_per_payment": "Stripe's id, by which a payment finds its purchase: no two users may have it",
    "purchases_one_per_checkout": "the same of a checkout session",
}
"""Unique keys of distributed tables that stand in the way: Citus refuses to distribute ``purchases`` with them."""

BATCH: Final = ("fence", "loading", "purchasing", "writing", "marks")
"""The modules of ``workers/ledger/store`` that run a batch's statements: the hot path."""
OF_MANY_ACCOUNTS: Final = {
    "read_journal": "a partition's rows in their order, as events: when memory had no room, and after a take-over",
    "read_moment": "when a position was written: for events that are sent again",
    "read_expired": "the clock's question, each minute",
    "prune_refusals": "takes away what is old, whosever it is",
}
"""The ledger's statements that look into distributed tables without an account: they ask every machine."""

REFUSED_OF_SEVERAL_SHARDS: Final = {
    "FOR UPDATE": {"lock_balances", "prune_refusals"},
    "OFFSET below a function's rows": {"read_state", "read_purchases"},
}
CUT_TO_PIECES: Final = {"write_outcome", "write_answers"}
"""With an INSERT among common table expressions: not one statement on Citus, not even of a single shard."""
_MARKS: Final = {"FOR UPDATE": r"FOR (NO KEY )?UPDATE", "OFFSET below a function's rows": r"\bOFFSET\b"}

_KEYS: Final = """
SELECT key.indexrelid::regclass::text AS name
FROM pg_index AS key
JOIN pg_class AS of ON of.oid = key.indrelid
JOIN pg_attribute AS account ON account.attrelid = of.oid AND account.attname = 'account_id'
WHERE of.relnamespace = 'credits'::regnamespace
  AND of.relname = ANY($1::text[])
  AND (key.indisunique OR key.indisexclusion)
  AND account.attnum <> ALL ((key.indkey::int2[])[0:key.indnkeyatts - 1])
"""
_BY_ACCOUNT: Final = re.compile(r"[( ](?:\w+\.)?account_id = ")


@pytest.fixture(scope="module")
async def catalogue(shared: Database) -> AsyncGenerator[asyncpg.Connection]:
    """A superuser's connection."""
    connection = await asyncpg.connect(shared.admin)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def worker(shared: Database) -> AsyncGenerator[Session]:
    """A worker's session."""
    session = await Session.open(
        shared.url("mana_worker"), application_name="test", settings={"idle_session_timeout": "0"}
    )
    yield session
    await session.close()


async def _keys_without_account(catalogue: asyncpg.Connection) -> set[str]:
    return {row["name"].removeprefix("credits.") for row in await catalogue.fetch(_KEYS, list(DISTRIBUTED))}


async def test_each_table_has_its_place(catalogue: asyncpg.Connection) -> None:
    found = await catalogue.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'credits'::regnamespace AND relkind IN ('r', 'p')"
    )
    assert sorted(row["relname"] for row in found) == sorted([*DISTRIBUTED, *REFERENCE, *LOCAL])


async def test_each_row_of_a_distributed_table_is_an_accounts(catalogue: asyncpg.Connection) -> None:
    found = await catalogue.fetch(
        "SELECT attrelid::regclass::text AS name FROM pg_attribute"
        " WHERE attrelid = ANY($1::regclass[]) AND attname = 'account_id' AND attnotnull",
        [f"credits.{table}" for table in DISTRIBUTED],
    )
    assert {row["name"] for row in found} == {f"credits.{table}" for table in DISTRIBUTED}


async def test_every_key_holds_the_account(catalogue: asyncpg.Connection) -> None:
    assert await _keys_without_account(catalogue) == set(KEYS_WITHOUT_ACCOUNT)


@pytest.mark.parametrize(
    "key",
    [
        "CREATE UNIQUE INDEX another ON credits.lots (id)",
        "CREATE UNIQUE INDEX another ON credits.lots (id) INCLUDE (account_id)",
        "ALTER TABLE credits.transactions ADD CONSTRAINT another UNIQUE (partition, position)",
        "ALTER TABLE credits.keys DROP CONSTRAINT keys_pkey, ADD CONSTRAINT another PRIMARY KEY (idempotency_key)",
    ],
)
async def test_a_key_without_the_account_is_seen(catalogue: asyncpg.Connection, key: str) -> None:
    trying = catalogue.transaction()
    await trying.start()
    try:
        await catalogue.execute(key)
        assert await _keys_without_account(catalogue) == {*KEYS_WITHOUT_ACCOUNT, "another"}
    finally:
        await trying.rollback()


async def test_what_citus_has_no_room_for(catalogue: asyncpg.Connection) -> None:
    tables = [f"credits.{table}" for table in DISTRIBUTED]
    triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid = ANY($1::regclass[]) AND NOT tgisinternal"
    assert await catalogue.fetch(triggers, tables) == [], (
        "Citus runs triggers of distributed tables only as unsafe ones"
    )
    referred = (
        "SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY($1::regclass[])"
    )
    assert {to for (to,) in await catalogue.fetch(referred, tables)} <= {f"credits.{table}" for table in REFERENCE}


def _names(module: str) -> set[str]:
    text = (Path(statements.__file__).parent / f"{module}.py").read_text(encoding="utf-8")
    return set(re.findall(r'statement\("(\w+)"\)', text))


def _statements(pattern: str) -> set[str]:
    """The ledger's statements about distributed tables whose text has this, by their names."""
    files = (Path(statements.__file__).parent / "sql").glob("*.sql")
    texts = {path.stem: re.sub(r"--.*", "", path.read_text(encoding="utf-8")) for path in files}
    tables = "|".join(DISTRIBUTED)
    return {
        name for name, text in texts.items() if re.search(rf"credits\.({tables})\b", text) and re.search(pattern, text)
    }


def test_what_citus_refuses_of_several_shards_is_on_the_page() -> None:
    page = (CHECKOUT / "docs" / "operations" / "scale.md").read_text(encoding="utf-8")
    refused = {reason: _statements(mark) for reason, mark in _MARKS.items()}
    assert refused == REFUSED_OF_SEVERAL_SHARDS
    pieces = _statements(r"\(\s*INSERT INTO")
    assert pieces == CUT_TO_PIECES
    rows = {frozenset(re.findall(r"`(\w+)`", row.split("|")[1])) for row in page.splitlines() if row.startswith("| `")}
    assert {*map(frozenset, refused.values()), frozenset(pieces)} <= rows


def test_the_hot_path_is_of_single_accounts() -> None:
    hot = set().union(*map(_names, BATCH))
    assert {"lock_balances", "read_state", "write_outcome"} <= hot
    assert not hot & set(OF_MANY_ACCOUNTS)


@pytest.mark.parametrize("name", sorted(path.stem for path in (Path(statements.__file__).parent / "sql").glob("*.sql")))
async def test_statements_name_the_account(worker: Session, name: str) -> None:
    found = await plan(worker, name)
    without = {table for table, condition in found.reads if table in DISTRIBUTED and not _BY_ACCOUNT.search(condition)}
    assert bool(without) == (name in OF_MANY_ACCOUNTS), f"{name} reads {without}:\n{found.text}"
