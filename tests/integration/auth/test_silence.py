"""A front that stands still in the midst of a transaction lets go of what it has locked."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from api.auth import standing
from api.database import Database as Pool
from api.errors import Unavailable
from tests.integration.auth.rows import acting, add_user
from tests.integration.ledger.server import Database


async def test_the_fronts_login_does_not_keep_a_silent_transaction(front: asyncpg.Connection) -> None:
    assert await front.fetchval("SHOW idle_in_transaction_session_timeout") == "10s"
    # Sessions themselves may be idle: the pool's, and the one that listens.
    assert await front.fetchval("SHOW idle_session_timeout") == "0"


async def test_whoever_waits_for_a_front_that_stands_still_goes_on(
    database: Database, owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """And the front that went on too late is told that it came to nothing, in words that ask for another try."""
    user = await add_user(owner)

    async def stand_still(pool: Pool) -> None:
        async with pool.as_user(user) as still:
            await still.execute("SET LOCAL idle_in_transaction_session_timeout = '200ms'")
            await standing.seize(still, user)
            async with asyncio.timeout(10), acting(front, user):
                assert await standing.seize(front, user)
            await standing.bump(still, user)

    async with Pool.connected(database.url("mana_api"), 1, "test") as pool:
        with pytest.raises(Unavailable):
            await stand_still(pool)
        async with pool.as_user(user) as again:
            assert await standing.enter(again, user)
