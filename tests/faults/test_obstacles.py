"""What stands in the ledger's way really does, on a real PostgreSQL, and is gone when its block has ended."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator

import asyncpg
import pytest

from ops.instance import Instance
from tests.faults.tools.obstacles import commits_hang, deadlock, role_setting, rule
from tests.faults.tools.outages import away, silent
from tests.faults.tools.postgres import Database

pytestmark = pytest.mark.slow  # the scenarios use them for each commit

_WITHIN = 20.0
_SILENCE = 1
_NO_ROWS = "INSERT INTO credits.transactions SELECT * FROM credits.transactions WHERE false"
_OPEN = """
INSERT INTO credits.balances (account_id, balance, free_credits_remaining, total_earned, total_spent, sequence,
    last_daily, opening_key, created_at)
SELECT account, 0, 0, 0, 0, 0, now(), 'opening', now() FROM unnest($1::text[]::uuid[]) AS account
"""
_LOCK = "SELECT FROM credits.balances WHERE account_id = $1::text::uuid FOR NO KEY UPDATE"


@pytest.fixture
async def writer(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """A session that may be ended."""
    url = servers.addresses.database_as("mana_owner")
    session = await asyncpg.connect(url, server_settings={"application_name": "victim"})
    yield session
    session.terminate()


async def test_a_hanging_commit_is_durable_and_ended_without_an_answer(
    database: Database, writer: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    account = str(uuid.uuid4())
    async with commits_hang(database):
        writing = asyncio.create_task(writer.execute(_OPEN, [account]))
        async with asyncio.timeout(_WITHIN):
            while not await database.end_backends("victim", waiting_for="SyncRep"):
                await asyncio.sleep(0.01)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await writing
    assert await owner.fetchval("SELECT count(*) FROM credits.balances WHERE account_id = $1::text::uuid", account) == 1
    async with asyncio.timeout(_WITHIN):  # and from now on others are answered
        await owner.execute(_OPEN, [str(uuid.uuid4())])


async def test_a_rule_refuses_and_is_gone_again(database: Database, writer: asyncpg.Connection) -> None:
    async with rule(database, "true", "40001", each="STATEMENT"):
        with pytest.raises(asyncpg.SerializationError):
            await writer.execute(_NO_ROWS)
    assert await writer.execute(_NO_ROWS) == "INSERT 0 0"


async def test_a_setting_of_a_role_holds_for_its_new_sessions(database: Database, servers: Instance) -> None:
    url = servers.addresses.database_as("mana_relay")
    old = await asyncpg.connect(url)
    async with role_setting(database, "mana_relay", "statement_timeout", "7s"):
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
            await old.fetchval("SELECT 1")
        new = await asyncpg.connect(url)
        assert await new.fetchval("SHOW statement_timeout") == "7s"
    newest = await asyncpg.connect(url)
    assert await newest.fetchval("SHOW statement_timeout") == "0"
    await newest.close()
    for ended in (old, new):
        ended.terminate()


async def test_the_other_one_of_a_deadlock_is_ended(
    database: Database, owner: asyncpg.Connection, writer: asyncpg.Connection
) -> None:
    accounts = sorted(str(uuid.uuid4()) for _ in range(2))
    await owner.execute(_OPEN, accounts)
    async with writer.transaction():
        await writer.execute(_LOCK, accounts[0])
        locking = asyncio.create_task(deadlock(database, accounts))
        async with asyncio.timeout(_WITHIN):
            while await owner.fetch(f"{_LOCK} SKIP LOCKED", accounts[1]):
                await asyncio.sleep(0.01)
        with pytest.raises(asyncpg.DeadlockDetectedError):
            await writer.execute(_LOCK, accounts[1])
    async with asyncio.timeout(_WITHIN):
        await locking


async def test_a_server_that_is_away_refuses_and_is_back_afterwards(servers: Instance, database: Database) -> None:
    url = servers.addresses.database_as("mana_readonly")
    async with away(servers, database):
        for _ in range(3):
            with pytest.raises(OSError):
                await asyncpg.connect(url)
            await asyncio.sleep(_SILENCE)
    assert await database.fetch("SELECT 1")


async def test_a_silent_server_neither_answers_nor_refuses(servers: Instance, database: Database) -> None:
    url = servers.addresses.database_as("mana_readonly")
    session = await asyncpg.connect(url)
    async with silent(database):
        with pytest.raises(TimeoutError):
            await asyncpg.connect(url, timeout=_SILENCE)
        asking = asyncio.create_task(session.fetchval("SELECT 1"))
        done, _ = await asyncio.wait({asking}, timeout=_SILENCE)
        assert not done
    assert await asking == 1
    await session.close()
