"""Abuse of sign-in stands among the security events."""

from __future__ import annotations

import asyncpg

from api.auth.abuse import noted_pressure
from api.database import Database as Pool
from tests.integration.ledger.server import Database


async def test_pressure_on_sign_ins_is_an_event_of_nobody(database: Database, owner: asyncpg.Connection) -> None:
    """[30]."""
    async with Pool.connected(database.url("mana_api"), 1, "test") as pool:
        await noted_pressure(pool)()
    (event,) = await owner.fetch("SELECT type, user_id, address FROM auth.security_events")
    assert tuple(event) == ("abuse.pressure", None, None)


async def test_pressure_is_no_error_while_the_database_is_away() -> None:
    """A guess is refused or looked at all the same."""
    async with Pool.connected("postgresql://mana_api:x@127.0.0.1:9/mana", 1, "test") as pool:
        await noted_pressure(pool)()
