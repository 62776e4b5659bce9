"""What other sessions and other settings put into the ledger's way, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Final, Literal

from tests.faults.tools.postgres import Database
from tests.faults.tools.telling import until

_WITHIN: Final = 30.0
_LOCK_BACKWARDS: Final = """
SELECT 1 FROM credits.balances WHERE account_id = ANY($1::text[]::uuid[]) ORDER BY account_id DESC FOR UPDATE
"""
_WAITING_FOR_US: Final = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))
"""


@asynccontextmanager
async def commits_hang(database: Database) -> AsyncGenerator[None]:
    """A COMMIT is durable, then waits for a standby that is not there, and is not answered."""
    await _configure(database, "synchronous_standby_names = 'nobody'")
    try:
        yield
    finally:
        await _configure(database, "synchronous_standby_names = DEFAULT")


@asynccontextmanager
async def rule(
    database: Database, condition: str, sqlstate: str, *, each: Literal["ROW", "STATEMENT"] = "ROW"
) -> AsyncGenerator[None]:
    """New transactions are refused with this SQLSTATE where the condition (SQL) holds: the program knows no such rule.

    The condition may speak of ``new``, where it is for each row.
    """
    await database.execute(
        "CREATE FUNCTION credits.test_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF {condition} THEN RAISE EXCEPTION 'a rule of a test' USING ERRCODE = '{sqlstate}'; END IF;"
        " RETURN new; END $$"
    )
    await database.execute(
        "CREATE TRIGGER test_rule BEFORE INSERT ON credits.transactions"
        f" FOR EACH {each} EXECUTE FUNCTION credits.test_rule()"
    )
    try:
        yield
    finally:
        await database.execute("DROP FUNCTION credits.test_rule() CASCADE")


@asynccontextmanager
async def role_setting(database: Database, role: str, name: str, value: str) -> AsyncGenerator[None]:
    """Sessions of this role begin with this setting; those that it has are ended, at both ends of the block."""
    await database.execute(f"ALTER ROLE {role} SET {name} = '{value}'")
    await database.terminate_backends(role=role)
    try:
        yield
    finally:
        await database.execute(f"ALTER ROLE {role} RESET {name}")
        await database.end_backends("%", role=role)


async def deadlock(database: Database, accounts: Iterable[str]) -> None:
    """Locks these accounts' balances from the last to the first, while somebody else holds first ones and waits for
    last ones: both wait for each other until the server ends one transaction.

    Ours is spared: it looks for deadlocks later than anybody. Raises ``AssertionError`` where nobody came into its way.
    """
    ordered = sorted(accounts)
    first, last = ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]
    async with database.session() as session, session.transaction():
        await session.execute("SET LOCAL deadlock_timeout = '60s'")
        await session.execute(_LOCK_BACKWARDS, last)

        async def waited_for() -> bool:
            return bool(await session.fetchval(_WAITING_FOR_US))

        await until(waited_for, "somebody waits for a locked balance", _WITHIN)
        await session.execute(_LOCK_BACKWARDS, first)


async def _configure(database: Database, setting: str) -> None:
    await database.execute(f"ALTER SYSTEM SET {setting}")
    await database.execute("SELECT pg_reload_conf()")
